//! The results as a table on stdout; the same numbers as the JSON, fewer of them.

use std::io::{self, Write};

use super::{Results, crashes};
use crate::figure::Figure;
use crate::row::Spread;

/// Writes everything.
pub(crate) fn write(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let machine = &results.environment;
    let kind = if machine.virtual_machine { " (virtual machine)" } else { "" };
    writeln!(
        out,
        "{}{kind}, {} cores, Linux {}, governor {}, {} build, commit {}",
        machine.cpu,
        machine.cpus_online,
        machine.kernel,
        machine.governor,
        machine.build,
        machine.commit
    )?;
    writeln!(
        out,
        "data in {} ({}); server and load on one host; seed {}; {} s a run\n",
        results.scratch.display(),
        results.setting.device,
        results.setting.seed,
        results.seconds
    )?;
    writeln!(
        out,
        "{:<34}{:>6}{:>12}{:>10}{:>10}",
        "device, 8 KiB durable writes", "depth", "per second", "p50 us", "p99 us"
    )?;
    for row in &results.device.rows {
        let name = if row.chosen { format!("{} (chosen)", row.flush) } else { row.flush.clone() };
        writeln!(
            out,
            "{name:<34}{:>6}{:>12}{:>10}{:>10}",
            row.depth_count, row.commits_per_second, row.p50_us, row.p99_us
        )?;
    }
    let tls = &results.tls;
    writeln!(
        out,
        "\nTLS by itself, {}: records of {} bytes in and {} out {} ns a request; a handshake \
         {} us, resumed {} us",
        tls.cipher,
        tls.request_bytes,
        tls.answer_bytes,
        tls.records_ns_per_request,
        tls.full_handshake_us,
        tls.resumed_handshake_us
    )?;
    write_rows(out, results)?;
    for figure in &results.figures {
        let Figure { scenario, name, unit, conditions, value } = figure;
        let Spread { median, least, most } = value;
        writeln!(out, "\n{scenario}: {name} ({conditions}): {median} {unit} ({least} - {most})")?;
    }
    crashes::write(out, &results.crashes)?;
    for missing in &results.missing {
        writeln!(out, "missing: {missing}")?;
    }
    Ok(())
}

fn write_rows(out: &mut impl Write, results: &Results) -> io::Result<()> {
    let mut named = String::new();
    for row in &results.rows {
        let subject = &row.subject;
        let name = format!(
            "{} {}: {}; {}; {}; replication {}; {}",
            subject.system,
            subject.version,
            subject.operation,
            subject.hot_share,
            subject.durability,
            subject.replication,
            subject.cores
        );
        if name != named {
            writeln!(out, "\n{name}")?;
            writeln!(
                out,
                "  {:>11} {:<14}{:>12} {:<20}{:>10}{:>10}{:>12}",
                "connections",
                "loop",
                "per second",
                "(least - most)",
                "p50 us",
                "p99 us",
                "bare echo"
            )?;
            named = name;
        }
        let spread = row.per_second;
        writeln!(
            out,
            "  {:>11} {:<14}{:>12} {:<20}{:>10}{:>10}{:>12}",
            row.load.connections,
            row.load.in_words(),
            spread.median,
            format!("({} - {})", spread.least, spread.most),
            row.p50_us.median,
            row.p99_us.median,
            row.ceiling_per_second.map_or_else(String::new, |ceiling| ceiling.to_string())
        )?;
        if let Some(excuse) = &row.excuse {
            writeln!(out, "  {:>11} does not count: {excuse}", "")?;
        }
    }
    Ok(())
}
