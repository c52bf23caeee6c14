//! A command has one answer in the log, however often it was sent.

use std::collections::BTreeMap;

use claw_common::id::ShardId;

use super::Fact;
use crate::violation::{Checked, check};

const NAME: &str = "a command is answered once";

/// Where each command's answer stands.
#[derive(Debug, Default)]
pub(super) struct Once {
    answers: BTreeMap<[u8; 16], (ShardId, u64)>,
}

impl Once {
    pub(super) fn record(&mut self, fact: &Fact<'_>) -> Checked {
        if fact.answer.is_empty() || fact.key == [0; 16] {
            return Ok(());
        }
        let former = self.answers.insert(fact.key, (fact.shard, fact.sequence));
        check(former.is_none(), NAME, || {
            let (shard, sequence) = former.unwrap_or_default();
            format!(
                "one command in shard {shard} record {sequence} and shard {} record {}",
                fact.shard, fact.sequence
            )
        })
    }
}
