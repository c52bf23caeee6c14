//! Bounds of one type, compared: wider is compatible, narrower is breaking.
//!
//! Older events are not checked against today's bounds, so a narrower bound does not make them
//! unreadable; but who reads them must be ready for more than the schema says, and requests that
//! were taken are refused. No upcaster mends that.

use claw_common::money::Currency;

use super::Verdict;
use super::members::Comparison;
use crate::schema::field::{Allowed, Kind};

impl Comparison<'_> {
    /// Compares two declarations of the same type.
    pub(super) fn bounds(&mut self, before: &Kind, after: &Kind, path: &str) {
        match (before, after) {
            (Kind::Group(old), Kind::Group(new)) => self.fields(old, new, &format!("{path}.")),
            (Kind::Integer { min, max }, Kind::Integer { min: least, max: most }) => {
                self.least(path, "min", (*min, *least));
                self.most(path, "max", (*max, *most));
            }
            (Kind::Json { size_bytes_max: old }, Kind::Json { size_bytes_max: new }) => {
                self.most(path, "size_bytes_max", (wide(*old), wide(*new)));
            }
            (
                Kind::List { of: old, count_min, count_max },
                Kind::List { of: new, count_min: fewest, count_max: most },
            ) => {
                self.least(path, "count_min", (wide(*count_min), wide(*fewest)));
                self.most(path, "count_max", (wide(*count_max), wide(*most)));
                self.inside((old, new), &format!("{path}[]"));
            }
            (
                Kind::Map { of: old, count_max, key_length_max },
                Kind::Map { of: new, count_max: most, key_length_max: longest },
            ) => {
                self.most(path, "count_max", (wide(*count_max), wide(*most)));
                self.most(path, "key_length_max", (wide(*key_length_max), wide(*longest)));
                self.inside((old, new), &format!("{path}.*"));
            }
            (
                Kind::Money { min, max, currencies: old },
                Kind::Money { min: least, max: most, currencies: new },
            ) => {
                self.least(path, "min", (*min, *least));
                self.most(path, "max", (*max, *most));
                self.currencies(path, old, new);
            }
            (
                Kind::Text { length_min, length_max, allowed: old },
                Kind::Text { length_min: shortest, length_max: longest, allowed: new },
            ) => {
                // An enum says its lengths itself.
                if !matches!((old, new), (Allowed::OneOf(_), Allowed::OneOf(_))) {
                    self.least(path, "length_min", (wide(*length_min), wide(*shortest)));
                    self.most(path, "length_max", (wide(*length_max), wide(*longest)));
                }
                self.allowed(path, old, new);
            }
            _ => {}
        }
    }

    fn least(&mut self, path: &str, bound: &str, (old, new): (i64, i64)) {
        self.bound(path, bound, (old, new), new < old);
    }

    fn most(&mut self, path: &str, bound: &str, (old, new): (i64, i64)) {
        self.bound(path, bound, (old, new), new > old);
    }

    fn bound(&mut self, path: &str, bound: &str, (old, new): (i64, i64), wider: bool) {
        if old == new {
            return;
        }
        let verdict = if wider { Verdict::Compatible } else { Verdict::Breaking };
        let effect = if wider { "wider" } else { "narrower: requests that were taken are refused" };
        self.note(path, verdict, &format!("{bound} was {old}, is {new}: {effect}"));
    }

    fn currencies(&mut self, path: &str, old: &[Currency], new: &[Currency]) {
        let names = |all: &[Currency]| {
            all.iter().map(|currency| currency.as_str().to_owned()).collect::<Vec<_>>()
        };
        match (old.is_empty(), new.is_empty()) {
            (true, true) => {}
            (true, false) => {
                let only = names(new).join(", ");
                let reason = format!("any currency was taken, now only {only}");
                self.note(path, Verdict::Breaking, &reason);
            }
            (false, true) => self.note(path, Verdict::Compatible, "any currency is taken now"),
            (false, false) => self.values(path, "currency", (&names(old), &names(new))),
        }
    }

    fn allowed(&mut self, path: &str, old: &Allowed, new: &Allowed) {
        match (old, new) {
            (Allowed::Any, Allowed::Any) => {}
            (Allowed::OneOf(old), Allowed::OneOf(new)) => self.values(path, "value", (old, new)),
            (Allowed::Matching(old), Allowed::Matching(new)) if old == new => {}
            (_, Allowed::Any) => {
                self.note(path, Verdict::Compatible, "any text of its length is taken now");
            }
            (Allowed::OneOf(texts), Allowed::Matching(pattern)) => {
                let strange = texts.iter().find(|text| !pattern.matches(text));
                match strange {
                    None => self.note(
                        path,
                        Verdict::Compatible,
                        "a pattern that takes every \
                        value of the enum it replaces",
                    ),
                    Some(text) => {
                        let reason = format!("`{text}` was taken and does not match the pattern");
                        self.note(path, Verdict::Breaking, &reason);
                    }
                }
            }
            (Allowed::Matching(_), Allowed::Matching(_)) => {
                let reason = "the pattern is another, and what it takes cannot be compared with \
                              what the older one took";
                self.note(path, Verdict::Breaking, reason);
            }
            (_, Allowed::OneOf(_)) => {
                self.note(path, Verdict::Breaking, "any text was taken that fitted, now an enum");
            }
            (Allowed::Any, Allowed::Matching(_)) => {
                self.note(path, Verdict::Breaking, "any text was taken, now those that match");
            }
        }
    }

    fn values(&mut self, path: &str, word: &str, (old, new): (&[String], &[String])) {
        let only_in = |some: &[String], other: &[String]| {
            some.iter().filter(|text| !other.contains(text)).cloned().collect::<Vec<_>>()
        };
        let (gone, come) = (only_in(old, new), only_in(new, old));
        if !gone.is_empty() {
            let reason = format!(
                "{word} {} is gone: older events may hold it, and requests with it are refused",
                gone.join(", ")
            );
            self.note(path, Verdict::Breaking, &reason);
        }
        if !come.is_empty() {
            let reason = format!("{word} {} is new", come.join(", "));
            self.note(path, Verdict::Compatible, &reason);
        }
    }
}

fn wide(size: usize) -> i64 {
    i64::try_from(size).expect("schema sizes are small")
}
