//! What the vault knows, made again from its log: a snapshot's records, then those behind it.
//!
//! Owns a snapshot's bytes: each record with its length before it.

use claw_common::checksum::Digest;
use claw_core::codec::{CodecError, Reader};
use claw_core::log::{BlockView, RecordView};

use crate::log::{Rebuild, Snapshot};
use crate::vault::book::Book;

/// Stands where a store's snapshots have the hash of its schema: which bytes a body has.
pub(super) const LAYOUT: Digest = *b"claw vault book, length + record";

/// A record that this build does not know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(String);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BookRebuild {
    book: Book,
}

impl BookRebuild {
    /// What came of it.
    pub(super) fn into_book(self) -> Book {
        self.book
    }
}

impl Rebuild for BookRebuild {
    type Error = Unreadable;

    fn begin(&mut self) {
        self.book = Book::default();
    }

    fn restore(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.header().schema_hash != LAYOUT {
            return false;
        }
        let restored = restore(snapshot.body());
        restored.map(|book| self.book = book).is_some()
    }

    fn apply(&mut self, _: &BlockView<'_>, record: &RecordView<'_>) -> Result<(), Self::Error> {
        self.book.take(record.event).map_err(|error| Unreadable(format!("{error:#}")))
    }
}

/// A snapshot's body of these records.
pub(super) fn body(records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        let length = u32::try_from(record.len()).expect("records are bounded");
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(record);
    }
    body
}

fn restore(body: &[u8]) -> Option<Book> {
    let (mut book, mut rest) = (Book::default(), body);
    while !rest.is_empty() {
        let (record, behind) = split(rest).ok()?;
        book.take(record).ok()?;
        rest = behind;
    }
    Some(book)
}

fn split(body: &[u8]) -> Result<(&[u8], &[u8]), CodecError> {
    let mut reader = Reader::new(body);
    let length = usize::try_from(reader.u32()?).expect("32 bits fit");
    let record = reader.raw(length)?;
    Ok((record, &body[size_of::<u32>() + length..]))
}
