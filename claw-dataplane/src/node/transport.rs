//! How a connection's bytes travel: as they are, or in TLS.
//!
//! Stands between the ring and the protocol, and knows neither what the bytes mean nor when they
//! are sent. Plain costs nothing: buffers change hands. In TLS received bytes are decrypted where
//! they lie, and answers are encrypted into the buffer that is sent.

use claw_common::time::UnixMs;

use crate::ingest::http::Scheme;
use crate::ingest::tls::{Received, Session, TlsMetrics};

/// See the module.
#[derive(Debug, Default)]
pub enum Transport {
    /// As they are.
    #[default]
    Plain,
    /// Encrypted.
    Tls(Box<Session>),
}

impl Transport {
    /// How requests are carried.
    pub const fn scheme(&self) -> Scheme {
        match self {
            Self::Plain => Scheme::Http,
            Self::Tls(_) => Scheme::Https,
        }
    }

    /// Gives what `bytes` carry to `sink`.
    pub fn receive(&mut self, bytes: &mut [u8], sink: &mut impl FnMut(&[u8])) -> Received {
        match self {
            Self::Plain => {
                sink(bytes);
                Received::default()
            }
            Self::Tls(session) => session.receive(bytes, sink),
        }
    }

    /// Moves what is to be sent into the empty `buffer`: `answers`, and what must stand before
    /// them.
    pub fn seal(&mut self, answers: &mut Vec<u8>, buffer: &mut Vec<u8>) {
        match self {
            Self::Plain => std::mem::swap(answers, buffer),
            Self::Tls(session) => session.seal(answers, buffer),
        }
    }

    /// Whether there is anything to send besides answers.
    pub const fn owes_bytes(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tls(session) => session.unsent_bytes() > 0,
        }
    }

    /// Says that nothing more will be sent; `true` when that needs sending itself.
    pub fn say_goodbye(&mut self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tls(session) => session.say_goodbye(),
        }
    }

    /// Whether no answer can be sent any more.
    pub const fn failed(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Tls(session) => session.failed(),
        }
    }

    /// When the connection must be ready to carry anything; `u64::MAX` once it is.
    pub const fn deadline_ms(&self) -> UnixMs {
        match self {
            Self::Plain => UnixMs::MAX,
            Self::Tls(session) => session.deadline_ms(),
        }
    }

    /// Counts an end of the connection that the client's TLS did not announce.
    pub const fn count_end(&self, metrics: &mut TlsMetrics) {
        if let Self::Tls(session) = self
            && session.truncated_by_end()
        {
            metrics.truncated();
        }
    }
}
