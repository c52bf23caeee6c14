//! Records back into state, state into snapshots, snapshots back into state.

use claw_common::id::ShardId;
use claw_common::time::{Hlc, UnixMs};

use super::error::{ApplyError, RestoreError};
use super::event::Event;
use super::state::{Facts, State};
use super::{Shard, ShardConfig};
use crate::codec::{CodecError, Reader, Writer};
use crate::command::CommandKey;
use crate::log::RecordView;

/// A record of the log as replay reads it.
#[derive(Clone, Copy, Debug)]
pub struct Replayed<'a> {
    /// [`super::event::EventKind`] as a number.
    pub kind: u16,
    /// Version of the event type.
    pub event_version: u16,
    /// When it was decided.
    pub decided: Hlc,
    /// The time the decision saw.
    pub now_ms: UnixMs,
    /// The command that caused it.
    pub identity: CommandKey,
    /// Sequence of the record in the shard.
    pub sequence: u64,
    /// What it saw of another shard.
    pub seen: Option<(u16, u64)>,
    /// The event's own bytes: the payload without extra fields and answer.
    pub event: &'a [u8],
    /// The remembered answer.
    pub answer: &'a [u8],
}

impl<'a> From<&RecordView<'a>> for Replayed<'a> {
    fn from(record: &RecordView<'a>) -> Self {
        let header = record.header;
        Self {
            kind: header.kind.get(),
            event_version: header.event_version.get(),
            decided: Hlc(header.hlc.get()),
            now_ms: header.now_ms.get(),
            identity: CommandKey { key: header.command, digest: header.command_digest },
            sequence: record.sequence,
            seen: record.seen().map(|(shard, sequence)| (shard.0, sequence)),
            event: record.event,
            answer: record.answer,
        }
    }
}

impl Shard {
    /// Takes the next record of the shard's log in.
    pub fn apply(&mut self, record: &Replayed<'_>) -> Result<(), ApplyError> {
        let event = Event::decode(record.kind, record.event_version, record.event)?;
        let facts = Facts {
            sequence: record.sequence,
            now_ms: record.now_ms,
            identity: record.identity,
            event: &event,
        };
        self.state.apply(&facts)?;
        self.state.remember(&facts, record.answer)?;
        self.clock.replay(record.decided, record.now_ms, record.sequence);
        if let Some((shard, sequence)) = record.seen {
            if shard >= self.config.shards_count {
                return Err(ApplyError::contradiction("it saw a shard that does not exist"));
            }
            self.clock.see(ShardId(shard), sequence);
        }
        Ok(())
    }

    /// BLAKE3 over all durable state in canonical form: equal after replay of the same records,
    /// and after a snapshot and its restore.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        self.state.write(&mut |bytes| {
            hasher.update(bytes);
        });
        *hasher.finalize().as_bytes()
    }

    /// Writes the state and what the clock has seen. The caller frames and checks the bytes.
    pub fn snapshot(&self, write: &mut dyn FnMut(&[u8])) {
        self.state.write(write);
        let mut bytes = [0; 8 + 2 + 8 * claw_common::limits::SHARDS_MAX];
        let mut writer = Writer::new(&mut bytes);
        writer.u64(self.clock.last().0);
        writer.u16(self.config.shards_count);
        for sequence in self.clock.vector() {
            writer.u64(*sequence);
        }
        let written = writer.written();
        write(&bytes[..written]);
    }

    /// A shard as it was when the snapshot was written.
    pub fn restore(config: ShardConfig, snapshot: &[u8]) -> Result<Self, RestoreError> {
        let mut reader = Reader::new(snapshot);
        let state = State::new(&config).read(&mut reader)?;
        let mut shard = Self::with_state(config, state);
        shard.restore_clock(&mut reader)?;
        reader.finish()?;
        Ok(shard)
    }

    fn restore_clock(&mut self, reader: &mut Reader<'_>) -> Result<(), CodecError> {
        let last = Hlc(reader.u64()?);
        self.clock.replay(last, self.state.now_ms, self.state.sequence);
        for shard in 0..reader.u16()? {
            let sequence = reader.u64()?;
            if shard >= self.config.shards_count {
                return Err(reader.invalid("version vector"));
            }
            self.clock.see(ShardId(shard), sequence);
        }
        Ok(())
    }
}
