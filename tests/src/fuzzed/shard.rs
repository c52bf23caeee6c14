//! A shard that is asked for things, its records thrown away: what snapshots are made of.

use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;
use claw_core::codec::Encode;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::Effects;
use claw_core::journal::{Draft, Journal};
use claw_core::shard::{Shard, ShardConfig};

use super::store::NOW_MS;

/// A shard and what it is asked through.
#[derive(Debug)]
pub struct Desk {
    shard: Shard,
    records: Counted,
    effects: Effects,
}

#[derive(Debug, Default)]
struct Counted(u64);

impl Journal for Counted {
    fn append(&mut self, _: &Draft<'_>, _: &dyn Encode) -> u64 {
        self.0 += 1;
        self.0
    }

    fn sequence(&self) -> u64 {
        self.0
    }
}

impl Desk {
    /// A new one.
    pub fn new(config: ShardConfig) -> Self {
        let (records, effects) = (Counted::default(), Effects::default());
        Self { shard: Shard::new(config), records, effects }
    }

    /// The shard as it is now.
    pub const fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Asks, each time as somebody new.
    pub fn decide(&mut self, command: Command<'_>) {
        let number = self.records.0 + 1;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let request = Request {
            command,
            identity: CommandKey { key, digest: [2; 16] },
            reply_to: ReplyTo(number),
            key: 1,
            auth_mode: AuthMode::Ed25519,
            accepted: Hlc::from_unix_ms(NOW_MS),
            entropy: number,
            extra: b"",
            extra_type: ExtraType::default(),
            evidence: b"",
        };
        self.shard.decide(&request, NOW_MS + number, &mut self.records, &mut self.effects);
        self.effects.clear();
    }
}

/// A price in euros.
pub fn price(amount: i64) -> Money {
    Money { amount, currency: Currency::parse("EUR").expect("a currency") }
}
