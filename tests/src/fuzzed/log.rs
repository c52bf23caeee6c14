//! A small valid log, written with the product's own writer: what edits are made of.
//!
//! Deliberately in memory: the fuzzed readers take slices.

use claw_common::id::{Id, ShardId};
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;
use claw_core::command::{AuthMode, CommandKey, ExtraType};
use claw_core::journal::{Draft, Journal as _};
use claw_core::log::{BlockDraft, Opening, SealInputs, Sealed, StoreShape, seal_mark};
use claw_core::shard::event::{Event, EventKind};

/// Of two shards.
pub const SHAPE: StoreShape = StoreShape {
    store_id: *b"a store of edits",
    shards_count: 2,
    segment_bytes: BLOCK_BYTES_MAX as u64,
};

/// When its first record was decided.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// Two segments of stream 0 with `blocks_count` blocks each: of shard 0 and 1 in turn, two records
/// a block; the last is a mark.
pub fn small_log(blocks_count: usize) -> [Vec<u8>; 2] {
    let mut log = SmallLog { sequence: 0, previous: [0; 32], shards: [(0, [0; 32]); 2] };
    [1, 2].map(|generation| {
        let blocks = (1..=blocks_count).flat_map(|place| {
            let mark = generation == 2 && place == blocks_count;
            if mark { log.mark(generation) } else { log.block(generation) }
        });
        blocks.collect()
    })
}

struct SmallLog {
    sequence: u64,
    previous: [u8; 32],
    /// Last record of each shard, and the hash of its block.
    shards: [(u64, [u8; 32]); 2],
}

impl SmallLog {
    fn inputs(&self, generation: u64, shard_previous: [u8; 32]) -> SealInputs {
        SealInputs {
            store_id: SHAPE.store_id,
            stream: 0,
            stream_epoch: 1,
            stream_sequence: self.sequence + 1,
            stream_previous: self.previous,
            shard_previous,
            segment_generation: generation,
            durable_watermark: self.sequence.saturating_sub(1),
            term: 1,
        }
    }

    fn block(&mut self, generation: u64) -> Vec<u8> {
        let place = usize::from(self.sequence % 2 == 1);
        let (last, previous) = self.shards[place];
        let mut slot = vec![0; BLOCK_ALIGN_BYTES];
        let opening = Opening {
            shard: ShardId(u16::from(place == 1)),
            sequence_last: last,
            schema_version: 1,
            vector: &[self.shards[0].0, self.shards[1].0],
        };
        let mut draft = BlockDraft::open(&mut slot, &opening);
        for event in [
            Event::ProductPut {
                sku: "clog",
                name: "Clog",
                price: Money {
                    amount: 4900,
                    currency: Currency::parse("EUR").expect("a currency"),
                },
                attributes: "{\"color\":\"red\"}",
                attributes_version: 1,
            },
            Event::CartCreated { cart: Id([7; 16]), session: "ada" },
        ] {
            let at = draft.sequence_last() + 1;
            draft.journal(&mut slot).append(&record(event.kind(), at), &event);
        }
        let sealed = draft.seal(&mut slot, &self.inputs(generation, previous));
        self.shards[place] = (sealed.sequence_last, sealed.hash);
        self.took(&sealed);
        slot
    }

    fn mark(&mut self, generation: u64) -> Vec<u8> {
        let mut slot = vec![0; BLOCK_ALIGN_BYTES];
        let inputs = self.inputs(generation, [0; 32]);
        let sealed = seal_mark(&mut slot, &inputs, Hlc::from_unix_ms(BEGIN_MS + 1_000));
        self.took(&sealed);
        slot
    }

    fn took(&mut self, sealed: &Sealed) {
        assert_eq!(sealed.size_bytes, BLOCK_ALIGN_BYTES, "small blocks, so that edits find them");
        self.sequence += 1;
        self.previous = sealed.hash;
    }
}

fn record(kind: EventKind, sequence: u64) -> Draft<'static> {
    let stamp = Hlc::from_unix_ms(BEGIN_MS + sequence);
    Draft {
        kind: kind as u16,
        event_version: kind.version(),
        key: 1,
        auth_mode: AuthMode::Ed25519,
        accepted: stamp,
        decided: stamp,
        now_ms: BEGIN_MS + sequence,
        identity: CommandKey { key: [1; 16], digest: [2; 16] },
        seen: None,
        extra: b"{\"gift\":true}",
        extra_type: ExtraType { code: 7, version: 3 },
        answer: b"answered",
        evidence: b"evidence",
    }
}
