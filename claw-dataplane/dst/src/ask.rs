//! Reads beside the log: what a shard would answer now, without a block or a client.
//!
//! For the invariants only. A read appends nothing; one that does is itself a finding.

use claw_common::time::{Hlc, UnixMs};
use claw_core::codec::Encode;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::{Effect, Effects};
use claw_core::journal::{Draft, Journal};
use claw_core::shard::Shard;

/// A journal that must stay empty.
struct NoJournal;

impl Journal for NoJournal {
    fn append(&mut self, draft: &Draft<'_>, _: &dyn Encode) -> u64 {
        panic!("a read appended an event of kind {}", draft.kind);
    }

    fn sequence(&self) -> u64 {
        0
    }
}

/// The encoded outcome of a read.
pub(crate) fn ask(shard: &mut Shard, command: Command<'_>, now_ms: UnixMs) -> Vec<u8> {
    let request = Request {
        command,
        identity: CommandKey::default(),
        reply_to: ReplyTo(0),
        key: 1,
        auth_mode: AuthMode::HmacSha256,
        accepted: Hlc::from_unix_ms(now_ms),
        entropy: 0,
        extra: b"",
        extra_type: ExtraType::default(),
        evidence: b"",
    };
    let mut effects = Effects::default();
    shard.decide(&request, now_ms, &mut NoJournal, &mut effects);
    match effects.list() {
        [Effect::Reply { outcome, .. }] => effects.bytes(*outcome).to_vec(),
        other => panic!("a read has one answer: {other:?}"),
    }
}
