//! The vault's journal: what it meant to do and what came of it, durable before it goes on.
//!
//! ```text
//!  u32 length  u32 CRC32C of what follows  16 bytes of chain  payload
//! ```
//! The chain is BLAKE3 over the chain before and the payload, cut to 16 bytes: what was taken out
//! or changed is seen. Whoever appends waits until its bytes are synced; whoever comes meanwhile
//! joins the next write (group commit), so many workers share one flush. A torn tail is cut when it
//! is opened, since nothing in it was waited for; damage with records behind it is refused. A write
//! or flush that fails ends the process: what cannot be remembered must not be done.
//!
//! Knows nothing of payments: see `book`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};

/// Length, checksum and chain.
const HEAD_BYTES: usize = 4 + 4 + CHAIN_BYTES;
const CHAIN_BYTES: usize = 16;
/// Largest payload.
pub const PAYLOAD_BYTES_MAX: usize = 4096;
/// Exit code of a process that can promise no more.
const EXIT_NOT_DURABLE: i32 = 3;

type Chain = [u8; CHAIN_BYTES];

/// See the module.
#[derive(Debug)]
pub struct Journal {
    file: File,
    queue: Mutex<Queue>,
    durable: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    chain: Chain,
    waiting: Vec<u8>,
    appended: u64,
    durable: u64,
    is_writing: bool,
}

impl Journal {
    /// Opens or makes a journal, and hands on every payload, oldest first.
    pub fn open(path: &Path, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut at, mut chain) = (0, Chain::default());
        while let Some((payload, next)) = record_at(&bytes, at) {
            let linked = link(&chain, payload);
            let stored = &bytes[at + 8..at + HEAD_BYTES];
            ensure!(stored == linked, "the journal's chain breaks at byte {at}: restore it");
            take(payload).with_context(|| format!("read the record at byte {at}"))?;
            (at, chain) = (next, linked);
        }
        if at < bytes.len() {
            let behind = (at + 1..bytes.len()).any(|place| record_at(&bytes, place).is_some());
            ensure!(!behind, "the journal is damaged at byte {at}, before records: restore it");
            log::warn!("cut a torn tail of {} bytes off {}", bytes.len() - at, path.display());
            file.set_len(u64::try_from(at)?)?;
            file.sync_data()?;
        }
        file.seek(SeekFrom::End(0))?;
        sync_folder(path)?;
        let queue = Mutex::new(Queue { chain, ..Queue::default() });
        Ok(Self { file, queue, durable: Condvar::new() })
    }

    /// Puts a journal of these payloads in the place of the one that is there, whole or not at all.
    pub fn rewrite(path: &Path, payloads: &[Vec<u8>]) -> Result<()> {
        let (mut bytes, mut chain) = (Vec::new(), Chain::default());
        for payload in payloads {
            chain = link(&chain, payload);
            put_record(&mut bytes, payload, &chain);
        }
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft).with_context(|| format!("make {}", draft.display()))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        sync_folder(path)
    }

    /// Appends a payload; durable when this returns.
    pub fn append(&self, payload: &[u8]) {
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "records are bounded");
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let chain = link(&queue.chain, payload);
        queue.chain = chain;
        put_record(&mut queue.waiting, payload, &chain);
        queue.appended += 1;
        let own = queue.appended;
        while queue.durable < own {
            if queue.is_writing {
                let woken = self.durable.wait(queue);
                queue = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.is_writing = true;
            let (bytes, upto) = (std::mem::take(&mut queue.waiting), queue.appended);
            drop(queue);
            if let Err(error) = (&self.file).write_all(&bytes).and_then(|()| self.file.sync_data())
            {
                log::error!("write the vault's journal: {error}; nothing more is promised");
                end_not_durable();
            }
            queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.is_writing = false;
            queue.durable = upto;
            self.durable.notify_all();
        }
    }
}

/// Nothing more can be promised: the process ends, loudly, before anybody is told anything.
#[expect(clippy::exit, reason = "a vault that cannot remember must not go on")]
fn end_not_durable() -> ! {
    std::process::exit(EXIT_NOT_DURABLE)
}

fn link(before: &Chain, payload: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(payload);
    let mut chain = Chain::default();
    chain.copy_from_slice(&hasher.finalize().as_bytes()[..CHAIN_BYTES]);
    chain
}

fn put_record(to: &mut Vec<u8>, payload: &[u8], chain: &Chain) {
    let length = u32::try_from(payload.len()).expect("bounded");
    let mut checked = Vec::with_capacity(CHAIN_BYTES + payload.len());
    checked.extend_from_slice(chain);
    checked.extend_from_slice(payload);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(&claw_common::checksum::crc32c(&checked).to_le_bytes());
    to.extend_from_slice(&checked);
}

/// The payload of the whole record at this place, and where the next one begins.
fn record_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let head = bytes.get(at..at + HEAD_BYTES)?;
    let (length, rest) = head.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let end = at + HEAD_BYTES + length;
    let checked = bytes.get(at + 8..end)?;
    let checksum = u32::from_le_bytes(*rest.first_chunk::<4>()?);
    let whole = claw_common::checksum::crc32c(checked) == checksum;
    whole.then(|| (&bytes[at + HEAD_BYTES..end], end))
}

fn sync_folder(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        Journal::open(path, |payload| {
            payloads.push(payload.to_vec());
            Ok(())
        })?;
        Ok(payloads)
    }

    fn written() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, |_| Ok(())).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let journal = &journal;
                scope.spawn(move || (0..25_u8).for_each(|n| journal.append(&[thread, n])));
            }
        });
        (folder, path)
    }

    #[test]
    fn everything_appended_is_there_and_in_order_of_each_writer() {
        let (_folder, path) = written();
        let payloads = read(&path).unwrap();
        assert_eq!(payloads.len(), 100);
        for thread in 0..4 {
            let own: Vec<u8> = payloads.iter().filter(|p| p[0] == thread).map(|p| p[1]).collect();
            assert_eq!(own, (0..25).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn torn_tail_is_cut_at_every_length_and_the_journal_goes_on() {
        let (_folder, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let record = HEAD_BYTES + 2;
        for cut in 1..record {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            assert_eq!(read(&path).unwrap().len(), 99);
            Journal::open(&path, |_| Ok(())).unwrap().append(b"more");
            assert_eq!(read(&path).unwrap().last().unwrap(), b"more");
        }
    }

    #[test]
    fn journal_written_anew_is_read_and_goes_on() {
        let (_folder, path) = written();
        Journal::rewrite(&path, &[b"one".to_vec(), b"two".to_vec()]).unwrap();
        Journal::open(&path, |_| Ok(())).unwrap().append(b"three");
        assert_eq!(read(&path).unwrap(), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    }

    #[test]
    fn damage_before_records_and_records_taken_out_are_refused() {
        let (_folder, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let record = HEAD_BYTES + 2;
        let mut flipped = whole.clone();
        flipped[record + HEAD_BYTES] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("damaged at byte 26"));
        let mut without = whole[..record].to_vec();
        without.extend_from_slice(&whole[2 * record..]);
        std::fs::write(&path, &without).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("chain breaks"));
    }
}
