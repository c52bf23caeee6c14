//! Letting a hold live longer.

use claw_common::id::{Id, ShardId};
use claw_core::command::Command;
use claw_core::outcome::{HoldState, Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct ExtendHold {
    hold: Id,
    owner: String,
    asking: Option<String>,
    ttl_ms: u64,
}

pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let (hold, owner) = draw.known_hold()?;
    let ttl_ms = draw.ttl_ms();
    Some(Box::new(ExtendHold { hold, asking: draw.asking(&owner), owner, ttl_ms }))
}

impl Asked for ExtendHold {
    fn shard(&self, _: u16) -> ShardId {
        self.hold.home()
    }

    fn command(&self) -> Command<'_> {
        let session = self.asking.as_deref();
        Command::ExtendHold { hold: self.hold, session, ttl_ms: self.ttl_ms }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Hold(view) if view.hold == self.hold && view.state == HoldState::Active => {
                oracle.see_hold(view, &self.owner)
            }
            Outcome::Refused(Refusal::HoldNotActive { .. } | Refusal::NotFound(Missing::Hold)) => {
                Ok(())
            }
            other => Err(unfit("extend hold", other)),
        }
    }
}
