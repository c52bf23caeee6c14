//! Tokens that were found good, by digest: a core does the arithmetic for each once.
//!
//! Bounded and taken at the start: a place for each digest, which the next token of that place
//! takes over; a token that lost its place is verified again. Only good tokens come in, so nobody
//! without one can crowd others out. Whether a token is still in its time and its key still trusted
//! is asked on every use, by who uses this; what changes the keys empties the whole.

use claw_common::checksum::blake3;
use claw_common::id::{Session, Text};
use claw_common::limits::KEY_NAME_BYTES_MAX;

use crate::ingest::scopes::Scopes;

/// Tokens a core remembers: 1.5 MiB.
const TOKENS_REMEMBERED: usize = 8192;

/// A token that was found good.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownToken {
    /// BLAKE3 of the whole token: another one with the same digest cannot be made.
    pub(super) digest: [u8; 32],
    /// The key's name.
    pub(super) keyid: Text<KEY_NAME_BYTES_MAX>,
    /// The key's number: a name is trusted for one key only.
    pub(super) key: u32,
    /// Whose it is.
    pub(super) session: Session,
    /// What it is for.
    pub(super) scopes: Scopes,
    /// When it ends, seconds.
    pub(super) expires_s: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct TokenMemory {
    places: Box<[Option<KnownToken>]>,
}

impl Default for TokenMemory {
    fn default() -> Self {
        Self { places: vec![None; TOKENS_REMEMBERED].into_boxed_slice() }
    }
}

impl TokenMemory {
    /// The digest that names a token.
    pub(super) fn digest(token: &str) -> [u8; 32] {
        blake3(token.as_bytes())
    }

    /// The token of a digest.
    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<&KnownToken> {
        self.places[Self::place(digest)].as_ref().filter(|known| known.digest == *digest)
    }

    /// Remembers a token in the place of another.
    pub(super) fn put(&mut self, known: KnownToken) {
        self.places[Self::place(&known.digest)] = Some(known);
    }

    /// Forgets one token.
    pub(super) fn forget(&mut self, digest: &[u8; 32]) {
        if self.find(digest).is_some() {
            self.places[Self::place(digest)] = None;
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.places.fill(None);
    }

    fn place(digest: &[u8; 32]) -> usize {
        usize::from(u16::from_le_bytes([digest[0], digest[1]])) % TOKENS_REMEMBERED
    }
}

const _: () = assert!(TOKENS_REMEMBERED.is_power_of_two() && TOKENS_REMEMBERED <= 1 << 16);

#[cfg(test)]
mod tests {
    use super::*;

    fn known(digest: [u8; 32]) -> KnownToken {
        let (keyid, session) = (Text::copy("k").unwrap(), Session::copy("s").unwrap());
        KnownToken { digest, keyid, key: 1, session, scopes: Scopes::NONE, expires_s: 9 }
    }

    #[test]
    fn place_is_taken_over_and_never_answers_for_another_digest() {
        let mut memory = TokenMemory::default();
        let (first, mut second) = ([3; 32], [3; 32]);
        second[31] = 4;
        memory.put(known(first));
        assert!(memory.find(&first).is_some() && memory.find(&second).is_none());
        memory.put(known(second));
        assert!(memory.find(&first).is_none() && memory.find(&second).is_some());
        memory.forget(&first);
        assert!(memory.find(&second).is_some());
        memory.clear();
        assert!(memory.find(&second).is_none());
    }
}
