//! What one file holds: what is durable, and what is only in the cache.
//!
//! Owns pages and sizes, and what a power failure leaves of them. A write is cached until it is
//! flushed; a flush makes durable what there was when it began. When the power fails, each page
//! that was not flushed survives or is lost by the coin, so that writes are torn and come out of
//! order. A file that had grown keeps what was flushed and the pages behind it up to the first
//! lost one, if its new size survived: as filesystems do that write data before the size. Shrinking
//! is durable at once, like names. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rand::Rng;

/// What survives or is lost as a whole.
pub(crate) const PAGE_BYTES: usize = 4096;
const PAGE: u64 = 4096;

/// Zeros take no memory.
type Page = Option<Arc<[u8; PAGE_BYTES]>>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    size_bytes: u64,
    size_bytes_durable: u64,
    durable: BTreeMap<u64, Written>,
    cached: BTreeMap<u64, Written>,
    writes_count: u64,
}

#[derive(Clone, Debug)]
struct Written {
    page: Page,
    /// Number of the write it comes from: a later one is not made durable by an earlier flush, nor
    /// replaced by one that ends late.
    write: u64,
}

/// What a flush makes durable: taken when it begins, given back when it has ended.
#[derive(Debug)]
pub(crate) struct Flush {
    pages: BTreeMap<u64, Written>,
    size_bytes: u64,
}

impl Flush {
    /// Whether there is nothing that a device would have to do.
    pub(crate) fn is_empty(&self, contents: &Contents) -> bool {
        self.pages.is_empty() && self.size_bytes == contents.size_bytes_durable
    }
}

/// What a power failure did to pages that were not flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toll {
    pub(crate) survived_count: u64,
    pub(crate) lost_count: u64,
}

impl Toll {
    /// Both.
    pub(crate) const fn add(&mut self, other: Self) {
        self.survived_count += other.survived_count;
        self.lost_count += other.lost_count;
    }
}

impl Contents {
    /// As a process sees it.
    pub(crate) const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Pages in memory, durable ones and cached ones.
    pub(crate) fn pages_count(&self) -> usize {
        self.durable.len() + self.cached.len()
    }

    /// Bytes from `offset` on, fewer at the end.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let end = offset.saturating_add(bytes(length)).min(self.size_bytes);
        let mut read = Vec::with_capacity(size(end.saturating_sub(offset)));
        let mut at = offset;
        while at < end {
            let (number, from) = place(at);
            let to = PAGE_BYTES.min(from + size(end - at));
            match self.page(number) {
                Some(page) => read.extend_from_slice(&page[from..to]),
                None => read.resize(read.len() + to - from, 0),
            }
            at += bytes(to - from);
        }
        read
    }

    /// Puts bytes into the cache.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        self.writes_count += 1;
        let mut at = offset;
        let mut left = data;
        while !left.is_empty() {
            let (number, from) = place(at);
            let (piece, rest) = left.split_at(left.len().min(PAGE_BYTES - from));
            let mut page = self.page(number).map_or([0; PAGE_BYTES], |page| **page);
            page[from..from + piece.len()].copy_from_slice(piece);
            let cached = Written { page: packed(&page), write: self.writes_count };
            self.cached.insert(number, cached);
            at += bytes(piece.len());
            left = rest;
        }
        self.size_bytes = self.size_bytes.max(at);
    }

    /// Makes the file at least this long.
    pub(crate) fn grow(&mut self, size_bytes: u64) {
        self.size_bytes = self.size_bytes.max(size_bytes);
    }

    /// Makes the file this long. What is cut off is gone at once, from the medium too.
    pub(crate) fn resize(&mut self, size_bytes: u64) {
        if size_bytes < self.size_bytes {
            self.cut_off(size_bytes);
        }
        self.size_bytes = size_bytes;
        self.size_bytes_durable = self.size_bytes_durable.min(size_bytes);
    }

    fn cut_off(&mut self, size_bytes: u64) {
        let (last, from) = place(size_bytes);
        let first_gone = if from == 0 { last } else { last + 1 };
        self.durable.split_off(&first_gone);
        self.cached.split_off(&first_gone);
        if from > 0 {
            let cut = |page: &mut Page| {
                if let Some(whole) = page {
                    let mut kept = **whole;
                    kept[from..].fill(0);
                    *page = packed(&kept);
                }
            };
            self.durable.entry(last).and_modify(|durable| cut(&mut durable.page));
            self.cached.entry(last).and_modify(|cached| cut(&mut cached.page));
        }
    }

    /// Begins to flush all of it.
    pub(crate) fn flush(&self) -> Flush {
        Flush { pages: self.cached.clone(), size_bytes: self.size_bytes }
    }

    /// Begins to flush the pages of a range of bytes, and the size.
    pub(crate) fn flush_range(&self, range: Range<u64>) -> Flush {
        let pages = place(range.start).0..range.end.div_ceil(PAGE);
        let pages = self.cached.range(pages).map(|(number, cached)| (*number, cached.clone()));
        Flush { pages: pages.collect(), size_bytes: self.size_bytes }
    }

    /// Ends a flush: all of it is durable.
    pub(crate) fn flushed(&mut self, flush: Flush) {
        let Flush { pages, size_bytes } = flush;
        self.size_bytes_durable = self.size_bytes_durable.max(size_bytes).min(self.size_bytes);
        for (number, taken) in pages {
            // Gone when the file was cut off meanwhile.
            let Some(now) = self.cached.get(&number) else { continue };
            if now.write == taken.write {
                self.cached.remove(&number);
            }
            if self.durable.get(&number).is_none_or(|durable| durable.write < taken.write) {
                self.durable.insert(number, taken);
            }
        }
    }

    /// What is left when the power has failed, and how many pages that cost.
    pub(crate) fn lose_power(&mut self, coin: &mut impl Rng) -> Toll {
        let mut toll = Toll::default();
        let flushed_bytes = self.size_bytes_durable;
        let grown = self.size_bytes > flushed_bytes;
        let mut size_bytes = if grown && coin.random() { self.size_bytes } else { flushed_bytes };
        for (number, page) in std::mem::take(&mut self.cached) {
            if coin.random() {
                toll.survived_count += 1;
                self.durable.insert(number, page);
            } else {
                toll.lost_count += 1;
                if (number + 1) * PAGE > flushed_bytes {
                    size_bytes = size_bytes.min(flushed_bytes.max(number * PAGE));
                }
            }
        }
        self.cut_off(size_bytes);
        (self.size_bytes, self.size_bytes_durable) = (size_bytes, size_bytes);
        toll
    }

    fn page(&self, number: u64) -> Option<&Arc<[u8; PAGE_BYTES]>> {
        match self.cached.get(&number) {
            Some(cached) => cached.page.as_ref(),
            None => self.durable.get(&number)?.page.as_ref(),
        }
    }
}

fn packed(page: &[u8; PAGE_BYTES]) -> Page {
    page.iter().any(|byte| *byte != 0).then(|| Arc::new(*page))
}

/// Which page a byte is in, and where there.
fn place(at: u64) -> (u64, usize) {
    (at / PAGE, size(at % PAGE))
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory fits 64 bits")
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a length in memory fits its own type")
}
