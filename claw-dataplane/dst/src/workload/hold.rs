//! Reserving stock, over one SKU or several, often on several shards.

use claw_common::id::ShardId;
use claw_core::command::Command;
use claw_core::outcome::{HoldState, Outcome, Refusal};

use super::{Asked, Draw, lines_of, shard_of_lines};
use crate::invariants::answers::unfit;
use crate::oracle::{Oracle, units_of};
use crate::violation::Checked;

#[derive(Debug)]
struct CreateHold {
    session: String,
    lines: Vec<u8>,
    ttl_ms: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let session = draw.session.clone();
    Some(Box::new(CreateHold { session, lines: draw.lines(), ttl_ms: draw.ttl_ms() }))
}

impl Asked for CreateHold {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_lines(&self.lines, shards_count)
    }

    fn command(&self) -> Command<'_> {
        let lines = lines_of(&self.lines);
        Command::CreateHold { session: &self.session, lines, ttl_ms: self.ttl_ms }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Hold(view)
                if view.state == HoldState::Active
                    && units_of(view.lines) == units_of(lines_of(&self.lines)) =>
            {
                oracle.see_hold(view, &self.session)
            }
            Outcome::Refused(Refusal::SoldOut { requested, available, .. })
                if available < requested =>
            {
                Ok(())
            }
            Outcome::Refused(Refusal::UnknownSku { .. } | Refusal::CurrencyMixed) => Ok(()),
            other => Err(unfit("create hold", other)),
        }
    }
}
