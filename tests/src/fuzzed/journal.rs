//! The vault's journal as a start finds it, and the book that is made of it.
//!
//! The promises: what is read is, byte for byte, what would be written of it; a torn tail takes
//! nothing with it; a book written anew is the same book. An input is a journal's bytes, or
//! payloads that are chained here. Deliberately not here: files and flushes.

use claw_dataplane::vault::book::Book;
use claw_dataplane::vault::journal::{PAYLOAD_BYTES_MAX, read, written};

use super::store::NOW_MS;

/// How far from the end a tail is torn off.
const TORN_BYTES: usize = 30;

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    match bytes {
        [0, journal @ ..] => {
            check_journal(journal);
        }
        [1, payloads @ ..] => {
            let chained = written(&cut(payloads));
            assert_eq!(check_journal(&chained), Some(chained.len()), "what is written is read");
        }
        _ => {}
    }
}

/// Payloads that each begin with their length in a byte.
fn cut(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (payload, after) = rest.split_at(usize::from(*length).min(rest.len()));
        if payload.is_empty() {
            break;
        }
        payloads.push(payload.to_vec());
        bytes = after;
    }
    payloads
}

fn payloads_of(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut payloads = Vec::new();
    let read = read(bytes, |payload| {
        assert!((1..=PAYLOAD_BYTES_MAX).contains(&payload.len()), "a payload has a bound");
        payloads.push(payload.to_vec());
        Ok(())
    });
    Some((payloads, read.ok()?.end))
}

/// Where the whole records end.
fn check_journal(bytes: &[u8]) -> Option<usize> {
    let (payloads, end) = payloads_of(bytes)?;
    assert_eq!(written(&payloads), bytes[..end], "a journal has one spelling");
    for cut in end.saturating_sub(TORN_BYTES)..end {
        let Some((kept, _)) = payloads_of(&bytes[..cut]) else {
            // Refused rather than cut: the torn payload itself holds what looks like a record.
            // Texts of payments are printable, so that nobody can write one.
            let holds_record = payloads
                .iter()
                .any(|payload| read(payload, |_| Ok(())).map_or(true, |read| read.end > 0));
            assert!(holds_record, "torn at {cut}");
            continue;
        };
        assert!(kept.len() < payloads.len() && payloads.starts_with(&kept), "torn at {cut}");
    }
    check_book(&payloads);
    Some(end)
}

fn check_book(payloads: &[Vec<u8>]) {
    let Some(book) = book_of(payloads) else { return };
    let records = book.records(NOW_MS);
    let again = book_of(&records).expect("the book reads what it wrote");
    let sorted = |book: &Book| {
        let mut records = book.records(NOW_MS);
        records.sort();
        records
    };
    assert_eq!(sorted(&again), sorted(&book), "a book written anew is the same book");
}

fn book_of(payloads: &[Vec<u8>]) -> Option<Book> {
    let mut book = Book::default();
    payloads.iter().try_for_each(|payload| book.take(payload)).ok()?;
    Some(book)
}
