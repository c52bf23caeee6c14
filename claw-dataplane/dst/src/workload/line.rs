//! Waiting in line for stock of one SKU.

use claw_common::id::ShardId;
use claw_core::codec::{Encode as _, Writer};
use claw_core::command::Command;
use claw_core::lines::LinesBuffer;
use claw_core::outcome::{HoldState, Outcome, Refusal};

use super::{Asked, Draw, lines_of, shard_of_lines};
use crate::invariants::answers::unfit;
use crate::oracle::{Oracle, units_of};
use crate::violation::Checked;

#[derive(Debug)]
struct JoinLine {
    session: String,
    line: Vec<u8>,
    ttl_ms: u64,
    wait_ms: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let session = draw.session.clone();
    let (sku, units) = (draw.sku(), draw.random.between(1, super::UNITS_DRAWN_MAX));
    let mut buffer = LinesBuffer::default();
    buffer.add(&sku, u32::try_from(units).expect("small"), 0).expect("one and small");
    let lines = buffer.lines();
    let mut line = vec![0; lines.encoded_bytes()];
    lines.encode(&mut Writer::new(&mut line));
    let (ttl_ms, wait_ms) = (draw.ttl_ms(), draw.ttl_ms());
    Some(Box::new(JoinLine { session, line, ttl_ms, wait_ms }))
}

impl Asked for JoinLine {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_lines(&self.line, shards_count)
    }

    fn command(&self) -> Command<'_> {
        let (ttl_ms, wait_ms) = (self.ttl_ms, self.wait_ms);
        Command::JoinLine { session: &self.session, lines: lines_of(&self.line), ttl_ms, wait_ms }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Hold(view)
                if matches!(view.state, HoldState::Active | HoldState::Waiting)
                    && units_of(view.lines) == units_of(lines_of(&self.line)) =>
            {
                oracle.see_hold(view, &self.session)
            }
            Outcome::Refused(Refusal::UnknownSku { .. } | Refusal::CapacityFull { .. }) => Ok(()),
            other => Err(unfit("join line", other)),
        }
    }
}
