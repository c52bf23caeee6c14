//! What was asked, what was answered, and whether what is there now agrees.
//!
//! A command is acknowledged when its answer came before the cut; after a cut, what was in doubt
//! and is there is acknowledged too, since it was seen. Pure.

use std::collections::BTreeMap;

/// Something that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) number: u64,
    /// None: in doubt.
    pub(super) answer: Option<String>,
}

/// A command as a system has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// How often it was carried out.
    pub(super) times_count: u64,
    /// What it answers to the same command now.
    pub(super) answer: String,
}

/// What a system has.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) received: u64,
    pub(super) available: u64,
    pub(super) taken: u64,
    /// By number.
    pub(super) entries: BTreeMap<u64, Entry>,
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) lost_count: u64,
    pub(super) twice_count: u64,
    pub(super) books_wrong: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    commands: Vec<Command>,
    next: u64,
    acknowledged_count: u64,
}

impl Ledger {
    /// All that may be there: acknowledged or in doubt, and not yet found lost.
    pub(super) fn asked(&self) -> &[Command] {
        &self.commands
    }

    /// Answers that came, over all cuts.
    pub(super) const fn acknowledged_count(&self) -> u64 {
        self.acknowledged_count
    }

    /// The number of a command that was never asked; so are those behind it.
    pub(super) const fn next_number(&self) -> u64 {
        self.next
    }

    /// Takes in what was asked up to a cut.
    pub(super) fn note(&mut self, asked: Vec<Command>) {
        for command in asked {
            self.next = self.next.max(command.number + 1);
            self.acknowledged_count += u64::from(command.answer.is_some());
            self.commands.push(command);
        }
    }

    /// Compares. What was lost is counted once, and not looked for any more.
    pub(super) fn judge(&mut self, books: &Books) -> Finding {
        let mut finding = Finding::default();
        let mut settled_count = 0;
        self.commands.retain_mut(|command| {
            match (&command.answer, books.entries.get(&command.number)) {
                (Some(first), Some(entry)) if *first == entry.answer => true,
                (None, Some(entry)) => {
                    command.answer = Some(entry.answer.clone());
                    settled_count += 1;
                    true
                }
                (Some(_), Some(entry)) => {
                    finding.lost_count += 1;
                    // Another has its number now, and is what must stay.
                    command.answer = Some(entry.answer.clone());
                    true
                }
                (Some(_), None) => {
                    finding.lost_count += 1;
                    false
                }
                (None, None) => false,
            }
        });
        self.acknowledged_count += settled_count;
        let times = books.entries.values().map(|entry| entry.times_count);
        finding.twice_count = times.map(|times_count| times_count.saturating_sub(1)).sum();
        finding.books_wrong = wrong(books);
        finding
    }
}

fn wrong(books: &Books) -> Option<String> {
    let Books { received, available, taken, entries } = books;
    let carried_out: u64 = entries.values().map(|entry| entry.times_count).sum();
    if taken > received {
        Some(format!("oversold: {taken} taken of {received}"))
    } else if received - taken != *available {
        Some(format!("{received} received are not {available} available and {taken} taken"))
    } else if *taken != carried_out {
        Some(format!("{taken} taken by {carried_out} commands"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(number: u64, answer: Option<&str>) -> Command {
        Command { number, answer: answer.map(str::to_owned) }
    }

    fn books(entries: &[(u64, u64, &str)]) -> Books {
        let taken = entries.iter().map(|entry| entry.1).sum();
        let entries = entries.iter().map(|&(number, times_count, answer)| {
            (number, Entry { times_count, answer: answer.to_owned() })
        });
        Books { received: 100, available: 100 - taken, taken, entries: entries.collect() }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.note(vec![command(0, Some("a")), command(1, Some("b")), command(2, None)]);
        ledger
    }

    #[test]
    fn everything_once_is_nothing_found_and_doubt_is_settled() {
        let mut ledger = ledger();
        assert_eq!(ledger.next_number(), 3);
        let found = ledger.judge(&books(&[(0, 1, "a"), (1, 1, "b"), (2, 1, "c")]));
        assert_eq!(found, Finding::default());
        assert_eq!(ledger.acknowledged_count(), 3);
        let gone = ledger.judge(&books(&[(0, 1, "a"), (1, 1, "b")]));
        assert_eq!(gone.lost_count, 1, "it was seen, and is gone");
    }

    #[test]
    fn doubt_that_was_not_carried_out_is_no_loss() {
        let mut ledger = ledger();
        assert_eq!(ledger.judge(&books(&[(0, 1, "a"), (1, 1, "b")])), Finding::default());
        assert_eq!(ledger.acknowledged_count(), 2);
    }

    #[test]
    fn missing_and_exchanged_answers_are_lost_once() {
        let mut ledger = ledger();
        let after = books(&[(1, 1, "other"), (2, 1, "c")]);
        assert_eq!(ledger.judge(&after).lost_count, 2);
        assert_eq!(ledger.judge(&after).lost_count, 0);
    }

    #[test]
    fn second_time_and_books_that_do_not_balance_are_found() {
        let twice = ledger().judge(&books(&[(0, 2, "a"), (1, 1, "b")]));
        assert_eq!((twice.twice_count, twice.books_wrong), (1, None));
        let good = books(&[(0, 1, "a"), (1, 1, "b")]);
        let bad = [
            Books { taken: 101, ..good.clone() },
            Books { available: 99, ..good.clone() },
            Books { taken: 3, available: 97, ..good },
        ];
        for (books, word) in bad.into_iter().zip(["oversold", "are not", "by 2 commands"]) {
            let wrong = ledger().judge(&books).books_wrong.unwrap();
            assert!(wrong.contains(word), "{wrong}");
        }
    }
}
