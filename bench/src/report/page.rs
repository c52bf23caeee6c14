//! The report for people: one HTML file that needs no other.
//!
//! Owns the page's order. Styles and drawings are in the file itself, so that it can be handed on
//! as it is; nothing in it runs.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Results, crashes, plots};
use crate::row::{Row, Spread};

const STYLE: &str = include_str!("page.css");
/// Curves in one drawing; more are told apart by nobody.
const CURVES_MAX: usize = plots::COLOURS_COUNT;

/// The page.
pub(super) fn page(results: &Results) -> String {
    let mut scenarios: Vec<&str> = results.rows.iter().map(|row| row.scenario).collect();
    scenarios.dedup();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "OpenClaw, measured" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "OpenClaw, measured" }
                (environment(results))
                @for scenario in scenarios {
                    @let rows: Vec<&Row> =
                        results.rows.iter().filter(|row| row.scenario == scenario).collect();
                    h2 { (scenario) }
                    p { "Answers a second; whiskers from the least to the most of the runs. A \
                         vertical mark: the same client against a server that does nothing. Grey: \
                         does not count." }
                    (plots::bars(&rows))
                    p { "How long answers took: all but one in so many were there by then. Open \
                         loops count from the schedule." }
                    @for some in rows.chunks(CURVES_MAX) { (plots::curves(some)) }
                    (table(&rows))
                }
                (figures(results))
                (crashes::section(&results.crashes))
                @for missing in &results.missing { p.excuse { "Missing: " (missing) } }
            }
        }
    }
    .into_string()
}

fn environment(results: &Results) -> Markup {
    let machine = &results.environment;
    let kind = if machine.virtual_machine { " (virtual machine)" } else { "" };
    html! {
        table {
            tr { th { "Machine" } td {
                (machine.cpu) (kind) ", " (machine.cpus_online) " cores, Linux " (machine.kernel)
                ", governor " (machine.governor)
            } }
            tr { th { "Program" } td { (machine.build) " build, commit " (machine.commit) } }
            tr { th { "Device" } td {
                (results.setting.device) ", in " (results.scratch.display())
                @for row in &results.device.rows {
                    br; (row.flush) @if row.chosen { " (chosen)" } ", " (row.depth_count)
                    " in flight: " (row.commits_per_second) "/s, p50 " (row.p50_us) " us"
                }
            } }
            tr { th { "Run" } td {
                "server and load on one host, over loopback; seed " (results.setting.seed) "; "
                (results.seconds) " s a run; median of " (results.runs_count) " runs"
            } }
        }
    }
}

fn table(rows: &[&Row]) -> Markup {
    html! {
        table {
            tr {
                th { "system" } th { "does" } th { "promises" } th { "load" }
                th { "per second" } th { "p50 us" } th { "p99 us" }
            }
            @for row in rows {
                tr {
                    td { (row.subject.system) " " (row.subject.version) br; (row.subject.cores) }
                    td { (row.subject.operation) "; " (row.subject.hot_share) }
                    td { (row.subject.durability) "; replication " (row.subject.replication) }
                    td {
                        (row.load.connections) " connections, " (row.load.in_words())
                        @if let Some(excuse) = &row.excuse {
                            br; span.excuse { "does not count: " (excuse) }
                        }
                    }
                    td.number { (spread(row.per_second)) }
                    td.number { (row.p50_us.median) }
                    td.number { (row.p99_us.median) }
                }
            }
        }
    }
}

fn figures(results: &Results) -> Markup {
    html! {
        @if !results.figures.is_empty() {
            h2 { "figures" }
            table {
                tr { th { "of" } th { "what" } th { "measured with" } th { "value" } th { "unit" } }
                @for figure in &results.figures {
                    tr {
                        td { (figure.scenario) }
                        td { (figure.name) }
                        td { (figure.conditions) }
                        td.number { (spread(figure.value)) }
                        td { (figure.unit) }
                    }
                }
            }
        }
    }
}

fn spread(spread: Spread) -> String {
    let Spread { median, least, most } = spread;
    format!("{median} ({least} - {most})")
}
