//! What a bare server has to know of a protocol.

use anyhow::Result;
use claw_common::time::UnixMs;

/// A protocol, and what all its connections have in common.
pub(super) trait Speech {
    /// Of one connection.
    type Link;

    /// A new connection.
    fn open(&self, now_ms: UnixMs) -> Self::Link;

    /// Cuts received bytes; each whole request is handed on under its number.
    fn receive(
        &self,
        link: &mut Self::Link,
        received: (&[u8], UnixMs),
        asked: &mut impl FnMut(u64, &[u8]),
    ) -> Result<()>;

    /// Writes the answer to a request.
    fn answer(&self, link: &mut Self::Link, number: u64) -> Result<()>;

    /// What was written and waits to be sent.
    fn to_send(link: &mut Self::Link) -> &mut Vec<u8>;
}
