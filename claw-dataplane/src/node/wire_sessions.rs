//! How far each client session has come on this core, for the welcome of its next connection.
//!
//! A hint for clients that resume: what decides whether a command was done is the shard's window.
//! Bounded: the session that was noted longest ago makes room.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Sessions a core remembers.
const SESSIONS_MAX: usize = 4096;

type SessionKey = [u8; 32];

/// See the module.
#[derive(Debug)]
pub struct WireSessions {
    taken: HashMap<SessionKey, u64, RandomState>,
    /// In the order they were noted.
    noted: VecDeque<SessionKey>,
}

impl Default for WireSessions {
    fn default() -> Self {
        let taken = HashMap::with_capacity_and_hasher(SESSIONS_MAX, RandomState::default());
        Self { taken, noted: VecDeque::with_capacity(SESSIONS_MAX) }
    }
}

impl WireSessions {
    /// Remembers a session from here on.
    pub fn note(&mut self, key: &SessionKey) {
        if self.taken.contains_key(key) {
            return;
        }
        if self.noted.len() == SESSIONS_MAX
            && let Some(oldest) = self.noted.pop_front()
        {
            self.taken.remove(&oldest);
        }
        self.taken.insert(*key, 0);
        self.noted.push_back(*key);
    }

    /// A session has come to this number.
    pub fn raise(&mut self, key: &SessionKey, sequence: u64) {
        if let Some(taken) = self.taken.get_mut(key) {
            *taken = sequence.max(*taken);
        }
    }

    /// How far a session has come; 0 when that is not known.
    pub fn taken(&self, key: &SessionKey) -> u64 {
        self.taken.get(key).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> SessionKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    #[test]
    fn longest_known_session_makes_room_and_numbers_never_fall() {
        let mut sessions = WireSessions::default();
        sessions.note(&key(0));
        sessions.raise(&key(0), 7);
        sessions.raise(&key(0), 3);
        sessions.note(&key(0));
        assert_eq!(sessions.taken(&key(0)), 7);
        sessions.raise(&key(1), 9);
        assert_eq!(sessions.taken(&key(1)), 0, "nobody noted it");
        (1..=SESSIONS_MAX).for_each(|number| sessions.note(&key(number)));
        assert_eq!(sessions.taken(&key(0)), 0);
        assert_eq!(sessions.taken.len(), SESSIONS_MAX);
    }
}
