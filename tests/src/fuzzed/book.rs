//! What the vault knows, as a start makes it of its log's records.
//!
//! The promise: a book written anew, as a snapshot does, is the same book. An input is records that
//! each begin with their length in a byte. Deliberately not here: the log around them, which is
//! `log` and `block`.

use claw_dataplane::vault::book::Book;

use super::store::NOW_MS;

/// Makes a book of them.
pub fn check(bytes: &[u8]) {
    check_book(&cut(bytes));
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
