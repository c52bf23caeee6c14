//! Recording an event of the store's own: logged once, and changing nothing.

use claw_common::id::{ShardId, shard_of_key};
use claw_core::command::Command;
use claw_core::outcome::Outcome;

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

const NAME: &str = "goods-returned";

#[derive(Debug)]
struct RecordEvent {
    sku: String,
    version: u16,
    members: String,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let sku = draw.sku();
    let members = format!("{{\"quantity\":{}}}", draw.random.between(1, 9));
    let version = if draw.random.chance(500) { 1 } else { 2 };
    Some(Box::new(RecordEvent { sku, version, members }))
}

impl Asked for RecordEvent {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_key(&self.sku, shards_count)
    }

    fn command(&self) -> Command<'_> {
        Command::RecordEvent { name: NAME, version: self.version, members: &self.members }
    }

    fn settle(&self, outcome: &Outcome<'_>, _oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::EventRecorded { name: NAME, version, .. } if *version == self.version => {
                Ok(())
            }
            other => Err(unfit("record event", other)),
        }
    }
}
