//! The 64 bits that come back with every completion, as a type.
//!
//! ```text
//!  63      56 55            32 31                     0
//!  |  kind   |     index      | generation or payload  |
//! ```
//! Every value a ring ever submits, and every value another ring posts to it (`MSG_RING`), is made
//! here, so a doorbell's payload cannot be mistaken for an operation.

/// What an entry of the ring is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Multishot accept; index and generation of the listener.
    Accept,
    /// The pause after a failed accept; index and generation of the listener.
    AcceptRetry,
    /// A cancellation was carried out; nothing to look up.
    Cancel,
    /// Connecting; index and generation of the connection.
    Connect,
    /// Posted by another ring: index is the sending core, then the payload.
    Doorbell,
    /// Our own posting to another ring: index is the receiving core.
    DoorbellSent,
    /// A posting to ourselves: the payload is the caller's.
    Posted,
    /// Multishot receive; index and generation of the connection.
    Receive,
    /// Index and generation of the connection.
    Send,
    /// A flush on its own; index and generation of the file operation.
    Sync,
    /// Index and generation of the timer.
    Timer,
    /// Index and generation of the file operation.
    Write,
    /// The flush linked behind a write; index and generation of the file operation.
    WriteSync,
}

const KINDS: [Kind; 13] = [
    Kind::Accept,
    Kind::AcceptRetry,
    Kind::Cancel,
    Kind::Connect,
    Kind::Doorbell,
    Kind::DoorbellSent,
    Kind::Posted,
    Kind::Receive,
    Kind::Send,
    Kind::Sync,
    Kind::Timer,
    Kind::Write,
    Kind::WriteSync,
];

const INDEX_BITS: u32 = 24;
/// Largest index that fits.
pub(super) const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;

/// A place in a bounded table, with the use of that place it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl Key {
    /// For kinds that name no table entry.
    pub(super) const NONE: Self = Self { index: 0, generation: 0 };
}

/// The packed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserData(u64);

impl UserData {
    pub(super) fn pack(kind: Kind, key: Key) -> Self {
        assert!(key.index <= INDEX_MAX);
        let kind = KINDS
            .iter()
            .position(|candidate| *candidate == kind)
            .and_then(|position| u64::try_from(position).ok())
            .expect("KINDS lists every kind");
        Self(kind << 56 | u64::from(key.index) << 32 | u64::from(key.generation))
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// The kind and key, or nothing when the bits were not made by [`UserData::pack`].
    pub(super) fn unpack(self) -> Option<(Kind, Key)> {
        let kind = usize::try_from(self.0 >> 56).ok()?;
        let index = u32::try_from(self.0 >> 32 & u64::from(INDEX_MAX)).ok()?;
        let generation = u32::try_from(self.0 & u64::from(u32::MAX)).ok()?;
        Some((*KINDS.get(kind)?, Key { index, generation }))
    }
}

#[cfg(test)]
mod tests {
    use super::{INDEX_MAX, KINDS, Key, UserData};

    #[test]
    fn every_kind_survives_packing() {
        for kind in KINDS {
            for key in [Key::NONE, Key { index: INDEX_MAX, generation: u32::MAX }] {
                let bits = UserData::pack(kind, key).bits();
                assert_eq!(UserData::from_bits(bits).unpack(), Some((kind, key)));
            }
        }
    }

    #[test]
    fn foreign_bits_are_no_kind() {
        assert_eq!(UserData::from_bits(u64::MAX).unpack(), None);
    }
}
