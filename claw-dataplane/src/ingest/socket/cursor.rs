//! Where a watcher stands: how far of every shard it has been told.
//!
//! Opaque to clients, who send it back as they got it; to us the sequences of all shards in base
//! 36, apart by dots: short, and a URL takes it as it is.

use std::fmt::Write as _;

use claw_common::id::ShardId;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u64>);

impl Cursor {
    /// One that stands at these sequences, one for each shard.
    pub fn at(sequences: Vec<u64>) -> Self {
        Self(sequences)
    }

    /// Reads a cursor of a store with this many shards.
    pub fn parse(text: &str, shards_count: u16) -> Option<Self> {
        let read = |part: &str| {
            let digits = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            u64::from_str_radix(part, 36).ok().filter(|_| digits)
        };
        let sequences: Vec<u64> = text.split('.').map(read).collect::<Option<_>>()?;
        (sequences.len() == usize::from(shards_count)).then_some(Self(sequences))
    }

    /// How far of a shard it has been told.
    pub fn of(&self, shard: ShardId) -> u64 {
        self.0.get(usize::from(shard.0)).copied().unwrap_or(u64::MAX)
    }

    /// It has been told of a shard up to here.
    pub fn advance(&mut self, shard: ShardId, sequence: u64) {
        if let Some(place) = self.0.get_mut(usize::from(shard.0)) {
            *place = sequence.max(*place);
        }
    }

    /// The text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (place, sequence) in self.0.iter().enumerate() {
            if place > 0 {
                text.push('.');
            }
            write_base_36(&mut text, *sequence);
        }
        text
    }
}

fn write_base_36(text: &mut String, number: u64) {
    let mut digits = Vec::new();
    let mut rest = number;
    loop {
        let digit = u32::try_from(rest % 36).expect("below 36");
        digits.push(char::from_digit(digit, 36).expect("below 36"));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    // A String takes every character.
    write!(text, "{}", digits.iter().rev().collect::<String>()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went_and_others_are_none() {
        for sequences in [vec![0], vec![1, 35, 36], vec![u64::MAX, 7]] {
            let count = u16::try_from(sequences.len()).unwrap();
            let cursor = Cursor::at(sequences);
            assert_eq!(Cursor::parse(&cursor.to_text(), count), Some(cursor.clone()));
            assert_eq!(Cursor::parse(&cursor.to_text(), count + 1), None);
        }
        for text in ["", ".", "1.", "+1", "-1", "1_0", "zzzzzzzzzzzzzz"] {
            assert_eq!(Cursor::parse(text, 1), None, "{text}");
        }
    }

    #[test]
    fn cursor_never_goes_back() {
        let mut cursor = Cursor::at(vec![5, 5]);
        cursor.advance(ShardId(0), 3);
        cursor.advance(ShardId(1), 9);
        assert_eq!((cursor.of(ShardId(0)), cursor.of(ShardId(1))), (5, 9));
    }
}
