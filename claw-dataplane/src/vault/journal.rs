//! Where the vault's records become durable: the seam between what it knows and the log it has.
//!
//! Owns the words and the bound. The log itself, a stream of its own on a device of its own, is
//! `runtime::vault_log`; what a record says is in [`super::book`].

/// Largest record.
pub const RECORD_BYTES_MAX: usize = 4096;

/// Remembers records, in one order for all threads.
pub trait Journal: Send + Sync {
    /// Appends a record; it is durable when this returns. What cannot be remembered must not be
    /// done, so a failure does not return.
    fn append(&self, record: &[u8]);
}
