//! The window of remembered commands: a repeated one gets the first answer again.
//!
//! ```text
//!   ring  | free | entry | entry | entry | ... | entry | free |
//!                 ^tail: oldest                        ^head
//!   index  key -> place of its entry
//! ```
//! A byte-bounded FIFO, taken at boot. An entry younger than `DEDUPLICATION_WINDOW_MS` is never
//! forgotten: when it would have to be, the command is refused (503). Older ones go when the room
//! is needed; they are not state any more, so a hash of the state counts young entries only.
//!
//! A command that other shards must decide too is *deciding* from its first event to its answer;
//! room for the largest answer stays reserved for each.
//!
//! Does not know what commands or answers mean, and keeps nothing of reads or of refusals that say
//! something of the moment only.

use std::collections::BTreeMap;

use claw_common::limits::{ANSWER_BYTES_MAX, DECIDING_MAX, DEDUPLICATION_WINDOW_MS};
use claw_common::time::UnixMs;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::CommandKey;
use crate::stdx::{PlaceIndex, prefetch};

/// Key 16, digest 16, time 8, answer length 4, zero 4.
const HEADER_BYTES: usize = 48;
const ALIGN_BYTES: usize = 8;
/// Of an entry, at least, on average: as many as that fit. Answers are longer but for the shortest.
const ENTRY_BYTES_USUAL: usize = HEADER_BYTES + 40;
/// Old entries forgotten with each one remembered, so that forgetting keeps ahead.
const FORGET_PER_INSERT: usize = 4;

/// What is known of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Never seen, or forgotten.
    Nothing,
    /// Its answer.
    Answered(&'a [u8]),
    /// Being decided with other shards.
    Deciding,
    /// Seen with another body.
    OtherBody,
}

/// An entry, for snapshots and hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered<'a> {
    /// Which command.
    pub identity: CommandKey,
    /// When it was answered.
    pub at_ms: UnixMs,
    /// With what.
    pub answer: &'a [u8],
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Window {
    ring: Box<[u8]>,
    /// Offsets in units of 8 bytes.
    index: PlaceIndex,
    head: usize,
    tail: usize,
    /// Where the entries before the wrap end, while the head is before the tail.
    wrapped_at: Option<usize>,
    count: usize,
    deciding: BTreeMap<[u8; 16], [u8; 16]>,
}

impl Window {
    /// Takes `capacity_bytes` and the index for as many entries as fit.
    pub fn with_capacity(capacity_bytes: usize) -> Self {
        let capacity_bytes = capacity_bytes / ALIGN_BYTES * ALIGN_BYTES;
        assert!(capacity_bytes / ALIGN_BYTES < 1 << 32, "offsets have 32 bits");
        Self {
            ring: vec![0; capacity_bytes].into_boxed_slice(),
            index: PlaceIndex::with_capacity(capacity_bytes / ENTRY_BYTES_USUAL),
            head: 0,
            tail: 0,
            wrapped_at: None,
            count: 0,
            deciding: BTreeMap::new(),
        }
    }

    /// Answers it holds, old ones not yet overwritten included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is known of a command.
    pub fn find(&self, identity: &CommandKey) -> Known<'_> {
        let place = self.index.find(hash(&identity.key), |place| self.key(place) == identity.key);
        if let Some(place) = place {
            let entry = self.entry(offset(place));
            if entry.identity.digest == identity.digest {
                return Known::Answered(entry.answer);
            }
            return Known::OtherBody;
        }
        if self.deciding.is_empty() {
            return Known::Nothing;
        }
        match self.deciding.get(&identity.key) {
            None => Known::Nothing,
            Some(digest) if *digest == identity.digest => Known::Deciding,
            Some(_) => Known::OtherBody,
        }
    }

    /// Asks memory for where the search for a command begins.
    #[inline]
    pub fn prefetch(&self, identity: &CommandKey) {
        self.index.prefetch(hash(&identity.key));
    }

    /// Asks memory for what is forgotten next.
    #[inline]
    pub fn prefetch_oldest(&self) {
        if let Some(oldest) = self.ring.get(self.tail..).and_then(|rest| rest.first_chunk::<256>())
        {
            prefetch(oldest);
        }
    }

    /// Whether one more command may be remembered without forgetting a young one.
    pub fn has_room(&self, now_ms: UnixMs) -> bool {
        if self.deciding.len() >= DECIDING_MAX {
            return false;
        }
        // Once for each, and once for what a wrap leaves unused at the end.
        let needed = (self.deciding.len() + 2) * entry_bytes(ANSWER_BYTES_MAX);
        let mut free = self.free_bytes();
        let mut place = self.tail;
        let mut left = self.count;
        let count_max = self.index.capacity().saturating_sub(self.deciding.len() + 1);
        while free < needed || left > count_max {
            if left == 0 || !self.old_at(place, now_ms) {
                return false;
            }
            free += self.size_at(place);
            place = self.after(place);
            left -= 1;
        }
        true
    }

    /// Notes that a command is being decided with other shards.
    pub fn begin(&mut self, identity: &CommandKey) {
        self.deciding.insert(identity.key, identity.digest);
    }

    /// Drops a note made by [`Window::begin`] without an answer.
    pub fn abandon(&mut self, identity: &CommandKey) {
        self.deciding.remove(&identity.key);
    }

    /// Remembers an answer; false when that would forget a young one.
    pub fn remember(&mut self, identity: &CommandKey, now_ms: UnixMs, answer: &[u8]) -> bool {
        assert!(answer.len() <= ANSWER_BYTES_MAX, "answers are bounded");
        if !self.deciding.is_empty() {
            self.deciding.remove(&identity.key);
        }
        for _ in 0..FORGET_PER_INSERT {
            if self.count == 0 || !self.old_at(self.tail, now_ms) {
                break;
            }
            self.forget_oldest();
        }
        let size = entry_bytes(answer.len());
        while !self.fits(size) {
            if self.count == 0 || !self.old_at(self.tail, now_ms) {
                return false;
            }
            self.forget_oldest();
        }
        self.forget(&identity.key);
        self.write(identity, now_ms, answer, size);
        self.prefetch_forgotten();
        true
    }

    /// Asks memory for the place in the index of what is forgotten next.
    #[inline]
    fn prefetch_forgotten(&self) {
        let oldest = self.ring.get(self.tail..).and_then(|rest| rest.first_chunk::<8>());
        if let Some(front) = oldest {
            self.index.prefetch(u64::from_le_bytes(*front));
        }
    }

    /// Commands being decided, in the order of their keys.
    pub fn deciding(&self) -> impl Iterator<Item = CommandKey> + '_ {
        self.deciding.iter().map(|(key, digest)| CommandKey { key: *key, digest: *digest })
    }

    /// Entries still young at `now_ms`, oldest first.
    pub fn young(&self, now_ms: UnixMs) -> impl Iterator<Item = Remembered<'_>> + '_ {
        let mut place = self.tail;
        (0..self.count)
            .map(move |_| {
                let entry = self.entry(place);
                place = self.after(place);
                entry
            })
            .filter(move |entry| entry.at_ms + DEDUPLICATION_WINDOW_MS >= now_ms)
            .filter(|entry| self.is_current(entry))
    }

    /// A key used again after it was forgotten has a newer entry, which alone counts.
    fn is_current(&self, entry: &Remembered<'_>) -> bool {
        let key = &entry.identity.key;
        let found = self.index.find(hash(key), |place| self.key(place) == *key);
        found.is_some_and(|place| self.entry(offset(place)).at_ms == entry.at_ms)
    }

    /// Drops the index of an older entry with the same key; its bytes go in their turn.
    fn forget(&mut self, key: &[u8; 16]) {
        let hash = hash(key);
        if let Some(place) = self.index.find(hash, |place| self.key(place) == *key) {
            self.index.remove(hash, place);
        }
    }

    fn write(&mut self, identity: &CommandKey, now_ms: UnixMs, answer: &[u8], size: usize) {
        if self.head + size > self.ring.len() {
            self.wrapped_at = Some(self.head);
            self.head = 0;
        }
        let length = u32::try_from(answer.len()).expect("bounded");
        let mut writer = Writer::new(&mut self.ring[self.head..self.head + size]);
        writer.raw(&identity.key);
        writer.raw(&identity.digest);
        writer.u64(now_ms);
        writer.u32(length);
        writer.u32(0);
        writer.raw(answer);
        let place = u32::try_from(self.head / ALIGN_BYTES).expect("checked at boot");
        self.index.insert(hash(&identity.key), place);
        self.head += size;
        self.count += 1;
    }

    fn forget_oldest(&mut self) {
        assert!(self.count > 0, "there is an oldest");
        let place = u32::try_from(self.tail / ALIGN_BYTES).expect("checked at boot");
        let key = self.key(place);
        // Not there when the key was used again: only the newer entry is.
        self.index.remove(hash(&key), place);
        let next = self.after(self.tail);
        if next < self.tail {
            self.wrapped_at = None;
        }
        self.tail = next;
        self.count -= 1;
    }

    fn fits(&self, size: usize) -> bool {
        if self.count == self.index.capacity() {
            return false;
        }
        if self.wrapped_at.is_some() {
            return self.head + size <= self.tail;
        }
        self.head + size <= self.ring.len() || size <= self.tail
    }

    fn free_bytes(&self) -> usize {
        if self.wrapped_at.is_some() {
            return self.tail - self.head;
        }
        self.ring.len() - (self.head - self.tail)
    }

    fn after(&self, place: usize) -> usize {
        let next = place + self.size_at(place);
        if self.wrapped_at == Some(next) { 0 } else { next }
    }

    fn size_at(&self, place: usize) -> usize {
        entry_bytes(self.entry(place).answer.len())
    }

    fn old_at(&self, place: usize, now_ms: UnixMs) -> bool {
        self.entry(place).at_ms + DEDUPLICATION_WINDOW_MS < now_ms
    }

    fn key(&self, place: u32) -> [u8; 16] {
        key_at(&self.ring, place)
    }

    fn entry(&self, place: usize) -> Remembered<'_> {
        let read = || {
            let mut reader = Reader::new(&self.ring[place..]);
            let identity = CommandKey { key: reader.array()?, digest: reader.array()? };
            let at_ms = reader.u64()?;
            let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
            reader.u32()?;
            Ok::<_, CodecError>(Remembered { identity, at_ms, answer: reader.raw(length)? })
        };
        read().expect("entries are read where they were written")
    }
}

/// Keys are digests already: their first bytes are a hash that no client chooses. An entry begins
/// with its key.
fn hash(key: &[u8; 16]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&key[..8]);
    u64::from_le_bytes(first)
}

fn offset(place: u32) -> usize {
    usize::try_from(place).expect("usize has 32 bits or more") * ALIGN_BYTES
}

fn key_at(ring: &[u8], place: u32) -> [u8; 16] {
    let start = offset(place);
    let mut key = [0; 16];
    key.copy_from_slice(&ring[start..start + 16]);
    key
}

fn entry_bytes(answer_bytes: usize) -> usize {
    (HEADER_BYTES + answer_bytes).next_multiple_of(ALIGN_BYTES)
}

#[cfg(test)]
mod tests;
