//! One call of the shard: its time, its journal, its effects, and whom it answers.
//!
//! The functions here are the only way an event is made: applied, shown, appended, answered.

use claw_common::id::ShardId;
use claw_common::time::{Hlc, UnixMs};

use super::Shard;
use super::answer::Show;
use super::event::{Event, EventKind};
use super::message::{Body, MESSAGE_BYTES_MAX, Message};
use super::notice::Notice;
use super::state::Facts;
use crate::command::{AuthMode, CommandKey, ExtraType, ReplyTo, Request};
use crate::effect::{Effect, Effects};
use crate::journal::{Draft, Journal};
use crate::outcome::Outcome;

/// See the module.
pub(crate) struct Call<'c> {
    /// The shard's sequence when it began.
    pub(crate) since: u64,
    pub(crate) now_ms: UnixMs,
    pub(crate) journal: &'c mut dyn Journal,
    pub(crate) effects: &'c mut Effects,
    pub(crate) claim: Claim<'c>,
    /// Who waits for the answer of what is decided.
    pub(crate) reply_to: Option<ReplyTo>,
    /// The message that caused it: whose, and where its sender stood.
    pub(crate) seen: Option<(ShardId, u64)>,
}

/// Who claims what: said in the records a command causes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim<'c> {
    pub(crate) identity: CommandKey,
    key: u32,
    auth_mode: AuthMode,
    accepted: Hlc,
    /// Only in the first record.
    extra: &'c [u8],
    pub(crate) extra_type: ExtraType,
    evidence: &'c [u8],
}

impl<'c> Claim<'c> {
    pub(crate) fn new(request: &Request<'c>, accepted: Hlc) -> Self {
        Self {
            identity: request.identity,
            key: request.key,
            auth_mode: request.auth_mode,
            accepted,
            extra: request.extra,
            extra_type: request.extra_type,
            evidence: request.evidence,
        }
    }

    /// The claim of a command whose request is gone: only its identity is known.
    pub(crate) fn of(identity: CommandKey) -> Self {
        Self { identity, ..Self::default() }
    }
}

impl Shard {
    /// Makes an event that answers nobody.
    pub(crate) fn commit(&mut self, call: &mut Call<'_>, event: &Event<'_>) {
        let facts = self.take_in(call, event);
        self.settle(&facts, &[]);
        self.append(call, event, &[]);
    }

    /// Makes an event, and an answer from the state it led to, remembered for the command.
    pub(crate) fn commit_answered(
        &mut self,
        call: &mut Call<'_>,
        event: &Event<'_>,
        show: Show<'_>,
    ) {
        let facts = self.take_in(call, event);
        let outcome = self.state.show(show);
        let span = call.effects.encode(&outcome, outcome.encoded_bytes_max());
        // Encoded once: the journal and the window copy what the effect carries.
        let Self { state, .. } = self;
        let remembered = state.remember(&facts, call.effects.bytes(span));
        remembered.expect("room was checked before deciding");
        let decided = self.clock.stamp();
        let draft = draft(call, event, decided);
        let answer = call.effects.bytes(span);
        let sequence = call.journal.append(&Draft { answer, ..draft }, event);
        self.appended(call, sequence);
        if let Some(to) = call.reply_to {
            call.effects.push(Effect::Reply { to, outcome: span, sequence, repeated: false });
        }
    }

    /// Answers with what is shown, without an event.
    pub(crate) fn reply(&self, call: &mut Call<'_>, show: Show<'_>) {
        let outcome = self.state.show(show);
        Self::reply_outcome(call, &outcome);
    }

    pub(crate) fn reply_outcome(call: &mut Call<'_>, outcome: &Outcome<'_>) {
        let Some(to) = call.reply_to else { return };
        let span = call.effects.encode(outcome, outcome.encoded_bytes_max());
        let sequence = call.journal.sequence();
        call.effects.push(Effect::Reply { to, outcome: span, sequence, repeated: false });
    }

    /// Sends a message, which says where this shard stands.
    pub(crate) fn send(&mut self, call: &mut Call<'_>, to: ShardId, body: Body<'_>) {
        assert_ne!(to, self.config.shard, "a shard does not write to itself");
        let stamp = self.clock.stamp();
        let message = Message { position: call.journal.sequence(), stamp, body };
        let message = call.effects.encode(&message, MESSAGE_BYTES_MAX);
        call.effects.push(Effect::Send { to, message });
    }

    pub(crate) fn notify(call: &mut Call<'_>, notice: &Notice<'_>) {
        call.effects.notify(notice, call.since, call.journal.sequence());
    }

    fn take_in<'e>(&mut self, call: &Call<'_>, event: &'e Event<'e>) -> Facts<'e> {
        let sequence = self.state.sequence + 1;
        let identity = call.claim.identity;
        let facts = Facts { sequence, now_ms: call.now_ms, identity, event };
        self.state.apply(&facts).expect("what was decided applies");
        facts
    }

    fn settle(&mut self, facts: &Facts<'_>, answer: &[u8]) {
        self.state.remember(facts, answer).expect("room was checked before deciding");
    }

    fn append(&mut self, call: &mut Call<'_>, event: &Event<'_>, answer: &[u8]) {
        let decided = self.clock.stamp();
        let draft = draft(call, event, decided);
        let sequence = call.journal.append(&Draft { answer, ..draft }, event);
        self.appended(call, sequence);
    }

    fn appended(&mut self, call: &mut Call<'_>, sequence: u64) {
        assert_eq!(sequence, self.state.sequence, "the journal is this shard's log");
        self.clock.see(self.config.shard, sequence);
        call.claim.extra = &[];
        call.claim.evidence = &[];
    }
}

fn draft<'c>(call: &Call<'c>, event: &Event<'_>, decided: Hlc) -> Draft<'c> {
    let kind = event.kind();
    let claim = &call.claim;
    Draft {
        kind: kind as u16,
        event_version: kind.version(),
        key: claim.key,
        auth_mode: claim.auth_mode,
        accepted: if claim.accepted == Hlc(0) { decided } else { claim.accepted },
        decided,
        now_ms: call.now_ms,
        identity: claim.identity,
        seen: call.seen.map(|(shard, position)| (shard.0, position)),
        extra: claim.extra,
        extra_type: if claim.extra.is_empty() && kind != EventKind::ProductPut {
            ExtraType::default()
        } else {
            claim.extra_type
        },
        answer: &[],
        evidence: claim.evidence,
    }
}
