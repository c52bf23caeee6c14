//! `claw log tail`: the newest records, and those that a running node appends.
//!
//! Following reads the node's files in place. A block is printed once the stream's watermark covers
//! it, so nothing is printed that a crash of the node could take back; an idle node writes a mark,
//! so the last one does not wait long.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use claw_common::checksum::Digest;
use claw_core::log::{BlockPlace, BlockView, StreamTail};

use super::source::Source;
use super::{Filter, Form, TailArgs, render, show};
use crate::log::{LogPaths, Scope, StoreLog, StreamLog};

/// How often a quiet log is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(args: &TailArgs) -> anyhow::Result<ExitCode> {
    show::check_kind(&args.filter)?;
    let form = args.form.for_store(&args.store);
    show::talk_of_type(&args.filter, &form);
    let source = Source::open(&args.store)?;
    let form = form.with_keys(&source, &args.store)?;
    let mut stdout = BufWriter::new(io::stdout().lock());
    last(&source, args, &form, &mut stdout)?;
    stdout.flush()?;
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut follower = Follower::new(source);
    loop {
        let printed = follower.step(&args.filter, &form, &mut stdout)?;
        stdout.flush()?;
        if !printed {
            sleep(POLL_INTERVAL);
        }
    }
}

/// The last records of each shard.
fn last(source: &Source, args: &TailArgs, form: &Form, to: &mut dyn Write) -> anyhow::Result<()> {
    let shards_count = usize::from(source.tails[0].superblock.shape.shards_count);
    let count = usize::try_from(args.count)?;
    let mut lines: Vec<VecDeque<String>> = vec![VecDeque::new(); shards_count];
    let mut chains = source.chains();
    let _flow: ControlFlow<()> =
        source.log.replay(&source.tails, &mut chains, &mut |block, record| {
            if args.filter.passes(record) && count > 0 {
                let newest = &mut lines[usize::from(record.shard.0)];
                newest.push_back(render::line(form, block, record));
                if newest.len() > count {
                    newest.pop_front();
                }
            }
            ControlFlow::Continue(())
        })?;
    for line in lines.iter().flatten() {
        writeln!(to, "{line}")?;
    }
    Ok(())
}

/// Where following stands in one stream.
#[derive(Debug)]
struct Front {
    next: Option<BlockPlace>,
    sequence: u64,
    hash: Digest,
    /// Everything up to here is durable.
    watermark: u64,
    /// Read and not yet known durable.
    waiting: VecDeque<(u64, BlockPlace)>,
}

impl Front {
    fn new(tail: &StreamTail) -> Self {
        Self {
            next: tail.next,
            sequence: tail.last_sequence,
            hash: tail.last_hash,
            watermark: tail.last_sequence,
            waiting: VecDeque::new(),
        }
    }

    /// Takes the next block if it is there.
    fn advance(&mut self, log: &StreamLog) -> bool {
        let place = self.next.filter(|place| self.fits(log, place));
        let Some(place) = place.or_else(|| self.begun_segment(log)) else { return false };
        let Ok(view) = BlockView::parse(log.bytes_at(&place)) else { return false };
        self.next = Some(BlockPlace { offset: place.offset + view.size_bytes(), ..place });
        self.sequence = view.stream_sequence();
        self.hash = *view.hash();
        self.watermark = view.header().durable_watermark.get().max(self.watermark);
        self.waiting.push_back((self.sequence, place));
        true
    }

    fn fits(&self, log: &StreamLog, place: &BlockPlace) -> bool {
        BlockView::parse(log.bytes_at(place)).is_ok_and(|view| {
            view.stream_sequence() == self.sequence + 1
                && view.header().stream_previous == self.hash
        })
    }

    /// The next block at the front of another segment.
    fn begun_segment(&self, log: &StreamLog) -> Option<BlockPlace> {
        let fronts = log.segments().map(|segment| BlockPlace { segment, generation: 0, offset: 0 });
        fronts.into_iter().find(|place| self.fits(log, place))
    }
}

/// Follows all streams.
#[derive(Debug)]
pub(super) struct Follower {
    paths: LogPaths,
    log: StoreLog,
    fronts: Vec<Front>,
}

impl Follower {
    pub(super) fn new(source: Source) -> Self {
        let fronts = source.tails.iter().map(Front::new).collect();
        Self { paths: source.paths, log: source.log, fronts }
    }

    /// Prints what became durable since the last step; says whether anything did. A quiet step maps
    /// the files anew, since the node may have made one.
    pub(super) fn step(
        &mut self,
        filter: &Filter,
        form: &Form,
        to: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let mut progress = false;
        for (front, stream) in self.fronts.iter_mut().zip(self.log.streams()) {
            while front.advance(stream) {
                progress = true;
            }
            while let Some((_, place)) =
                front.waiting.pop_front_if(|(sequence, _)| *sequence <= front.watermark)
            {
                let Ok(view) = BlockView::parse(stream.bytes_at(&place)) else { continue };
                for record in view.records().filter(|record| filter.passes(record)) {
                    writeln!(to, "{}", render::line(form, &view, &record))?;
                }
            }
        }
        if !progress {
            self.log = StoreLog::open(&self.paths, Scope::Live)?;
        }
        Ok(progress)
    }
}
