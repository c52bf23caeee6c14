//! The vault's log over real files: what was appended is known again, and the log stays short.

use std::path::Path;
use std::thread::JoinHandle;

use claw_common::id::{Id, ShardId};
use claw_common::money::Currency;
use claw_core::payment::PaymentStep;

use super::keeper::Keeper;
use super::{VaultLog, open_with};
use crate::node::clock::read_utc_ms;
use crate::vault::book::{Book, Question, Said, begun, ended};
use crate::vault::journal::Journal as _;

/// The smallest there is: one largest block.
const SEGMENT_BYTES: u64 = claw_common::limits::BLOCK_BYTES_MAX as u64;

struct Running {
    keeper: Keeper,
    log: VaultLog,
    writing: JoinHandle<()>,
}

impl Running {
    fn start(folder: &Path) -> (Self, Book) {
        let (opened, book) = open_with(folder, "file:log", SEGMENT_BYTES).unwrap();
        let (keeper, log, writing) = opened.set_up().unwrap();
        (Self { keeper, log, writing }, book)
    }

    /// Ends as a process does that is killed: nothing more is written.
    fn end(self) {
        let waker = self.log.waker();
        drop(self.log);
        waker.wake();
        self.writing.join().unwrap();
    }
}

fn disk_folder() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}

fn order(number: u16) -> Id {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_le_bytes());
    Id(id)
}

fn question(number: u16) -> Question {
    Question {
        order: order(number),
        shard: ShardId(0),
        step: PaymentStep::Authorize,
        amount: 100,
        currency: Currency::parse("EUR").unwrap(),
        token: "tok_1".to_owned(),
        intent: String::new(),
    }
}

fn begin(log: &VaultLog, number: u16, at_ms: u64) {
    log.append(&begun(&question(number), at_ms));
}

fn end_step(log: &VaultLog, number: u16) {
    let said = Said::Done { intent: "pi_1".to_owned() };
    log.append(&ended(order(number), PaymentStep::Authorize, &said));
}

#[test]
fn everything_appended_is_known_again_and_the_log_goes_on() {
    let folder = disk_folder();
    for run in 0..3_u16 {
        let (running, book) = Running::start(folder.path());
        assert_eq!(book.orders_count(), usize::from(run) * 100);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &running.log;
                let numbers = run * 100 + thread * 25..run * 100 + (thread + 1) * 25;
                scope.spawn(move || numbers.for_each(|number| begin(log, number, read_utc_ms())));
            }
        });
        running.end();
    }
    let (_, book) = open_with(folder.path(), "file:log", SEGMENT_BYTES).unwrap();
    assert_eq!(book.orders_count(), 300);
}

#[test]
fn what_is_long_over_is_given_free_and_what_is_under_way_stays() {
    let folder = disk_folder();
    let (mut running, _) = Running::start(folder.path());
    let long_ago_ms = read_utc_ms() - 30 * 24 * 3600 * 1000;
    begin(&running.log, 0, long_ago_ms);
    for number in 1..600 {
        begin(&running.log, number, long_ago_ms);
        end_step(&running.log, number);
        running.keeper.fill().unwrap();
        if number % 100 == 0 {
            running.keeper.snapshot().unwrap();
        }
    }
    let segments = running.keeper.segments_count();
    assert!(segments < 12, "1,199 blocks of 4 KiB fill 19 segments when none is used again");
    running.end();
    let (_, book) = open_with(folder.path(), "file:log", SEGMENT_BYTES).unwrap();
    assert!(book.order(order(0)).is_some(), "nobody knows yet what came of it");
    assert!(book.order(order(1)).is_none(), "it was over for a month");
    assert!(book.order(order(599)).is_some(), "no snapshot has left it out yet");
}

#[test]
fn damage_below_the_watermark_is_refused_with_its_place() {
    let folder = disk_folder();
    let (running, _) = Running::start(folder.path());
    (0..10).for_each(|number| begin(&running.log, number, read_utc_ms()));
    running.end();
    let segment = folder.path().join("log/stream-00-segment-000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    // In the header of the second block.
    bytes[4096 + 100] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let refused = open_with(folder.path(), "file:log", SEGMENT_BYTES).unwrap_err();
    let said = format!("{refused:#}");
    assert!(said.contains("read the vault's log") && said.contains("segment 0"), "{said}");
}

#[test]
fn journal_of_an_earlier_build_is_not_left_out_silently() {
    let folder = disk_folder();
    std::fs::write(folder.path().join("journal"), b"payments").unwrap();
    let refused = open_with(folder.path(), "file:log", SEGMENT_BYTES).unwrap_err();
    assert!(refused.to_string().contains("earlier build"), "{refused}");
}
