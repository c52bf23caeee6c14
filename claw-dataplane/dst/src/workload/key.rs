//! Registering and revoking keys, which shard 0 keeps.

use claw_common::id::ShardId;
use claw_core::command::Command;
use claw_core::outcome::Outcome;

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

/// The registered number that shoppers sign with is none of these.
const NUMBERS: (u64, u64) = (2, 6);
const ED25519: u16 = 1;

#[derive(Debug)]
struct ChangeKey {
    number: u32,
    name: String,
    public: [u8; 32],
    revoked: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let number = draw.random.between(NUMBERS.0, NUMBERS.1);
    let mut public = [0; 32];
    public[..8].copy_from_slice(&draw.random.number().to_le_bytes());
    Some(Box::new(ChangeKey {
        number: u32::try_from(number).expect("small"),
        name: format!("key-{number}"),
        public,
        revoked: draw.random.chance(300),
    }))
}

impl Asked for ChangeKey {
    fn shard(&self, _: u16) -> ShardId {
        ShardId(0)
    }

    fn command(&self) -> Command<'_> {
        Command::ChangeKey {
            number: self.number,
            name: &self.name,
            role: "storefront",
            algorithm: ED25519,
            public: self.public,
            revoked: self.revoked,
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, _: &mut Oracle) -> Checked {
        match outcome {
            Outcome::KeyChanged => Ok(()),
            other => Err(unfit("change key", other)),
        }
    }
}
