//! The rows of crashes, as a table on stdout and as a section of the page.
//!
//! Owns their order of columns and the words that say what the medium is; judges nothing.

use std::io::{self, Write};

use maud::{Markup, html};

use crate::crash_row::CrashRow;

/// What stands above the rows.
const CONDITIONS: &str = "kill -9: files on the disk, whose cache stays. Power fails: files on a \
    filesystem in memory with a volatile write cache; each 4 KiB page that was not flushed \
    survives or is lost by the seed's coin, a file that grew ends at its first lost page, and \
    names are durable at once. Every command has a number, and after each start all that were \
    acknowledged so far are looked for.";

/// Writes them, if there are any.
pub(super) fn write(out: &mut impl Write, rows: &[CrashRow]) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    writeln!(out, "\ncrashes, seed {}. {CONDITIONS}", first.setting.seed)?;
    writeln!(
        out,
        "{:<56}{:<26}{:>6}{:>14}{:>7}{:>7}{:>7}{:>16}",
        "system: promise",
        "cut",
        "cuts",
        "acknowledged",
        "lost",
        "twice",
        "books",
        "again ms (most)"
    )?;
    for row in rows {
        writeln!(
            out,
            "{:<56}{:<26}{:>6}{:>14}{:>7}{:>7}{:>7}{:>16}  {}",
            format!("{}: {}", system(row), row.promise.setting),
            row.cut.in_words(),
            row.cuts_count,
            row.acknowledged_count,
            row.lost_count,
            row.twice_count,
            row.books_wrong.len(),
            again(row),
            row.verdict()
        )?;
        for damage in row.books_wrong.iter().chain(&row.refused_starts) {
            writeln!(out, "  {damage}")?;
        }
    }
    Ok(())
}

/// The section of the page, if there are any.
pub(super) fn section(rows: &[CrashRow]) -> Markup {
    html! {
        @if let Some(first) = rows.first() {
            h2 { "crashes" }
            p { (CONDITIONS) " Seed " (first.setting.seed) ", " (first.setting.device) "." }
            table {
                tr {
                    th { "system" } th { "promises" } th { "cut" } th { "cuts" }
                    th { "acknowledged" } th { "lost" } th { "twice" } th { "books wrong" }
                    th { "unflushed pages lost, survived" } th { "answers again, ms (most)" }
                    th { "" }
                }
                @for row in rows {
                    tr {
                        td { (system(row)) }
                        td { (row.promise.setting) }
                        td { (row.cut.in_words()) }
                        td.number { (row.cuts_count) }
                        td.number { (row.acknowledged_count) }
                        td.number { (row.lost_count) }
                        td.number { (row.twice_count) }
                        td.number { (row.books_wrong.len()) }
                        td.number { (row.pages_lost_count) ", " (row.pages_survived_count) }
                        td.number { (again(row)) }
                        td {
                            @if row.is_damaged() { span.excuse { (row.verdict()) } }
                            @else { (row.verdict()) }
                            @for damage in row.books_wrong.iter().chain(&row.refused_starts) {
                                br; (damage)
                            }
                        }
                    }
                }
            }
        }
    }
}

fn system(row: &CrashRow) -> String {
    format!("{} {}", row.system, row.version).trim_end().to_owned()
}

fn again(row: &CrashRow) -> String {
    row.answers_again_ms
        .map_or_else(|| "never".to_owned(), |spread| format!("{} ({})", spread.median, spread.most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash_row::{CutKind, tests::row};

    #[test]
    fn loss_stands_in_the_table_and_on_the_page_with_its_reason() {
        let mut lost = row("Redis", CutKind::Power, 17);
        lost.refused_starts.push("cut 3: no such log".to_owned());
        let mut text = Vec::new();
        write(&mut text, std::slice::from_ref(&lost)).unwrap();
        let text = String::from_utf8(text).unwrap();
        let page = section(&[lost]).into_string();
        for found in [&text, &page] {
            for word in ["17", "PROMISE BROKEN", "cut 3: no such log", "60 (70)", "power fails"] {
                assert!(found.contains(word), "{word} in {found}");
            }
        }
        assert!(section(&[]).into_string().is_empty());
    }
}
