//! Giving a hold's stock back.

use claw_common::id::{Id, ShardId};
use claw_core::command::Command;
use claw_core::outcome::{HoldState, Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct ReleaseHold {
    hold: Id,
    owner: String,
    asking: Option<String>,
}

pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let (hold, owner) = draw.known_hold()?;
    Some(Box::new(ReleaseHold { hold, asking: draw.asking(&owner), owner }))
}

impl Asked for ReleaseHold {
    fn shard(&self, _: u16) -> ShardId {
        self.hold.home()
    }

    fn command(&self) -> Command<'_> {
        Command::ReleaseHold { hold: self.hold, session: self.asking.as_deref() }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Hold(view)
                if view.hold == self.hold
                    && matches!(view.state, HoldState::Released | HoldState::Expired) =>
            {
                oracle.see_hold(view, &self.owner)
            }
            // Pinned by a checkout, sold, or ended so long ago that it is evicted.
            Outcome::Refused(
                Refusal::HoldSold
                | Refusal::HoldNotActive { .. }
                | Refusal::NotFound(Missing::Hold),
            ) => Ok(()),
            other => Err(unfit("release hold", other)),
        }
    }
}
