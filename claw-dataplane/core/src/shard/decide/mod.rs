//! Commands, decided: what is the same for all, and the way to each.

mod carts;
mod check;
mod checkout;
mod coupons;
mod events;
mod holds;
mod line;
mod orders;
mod products;
mod reads;
mod sagas;
mod sessions;

pub(crate) use check::priced_locally;

use claw_common::id::Id;
use claw_common::limits::{LINES_MAX, SKU_BYTES_MAX};
use claw_common::time::UnixMs;

use super::Shard;
use super::answer::Show;
use super::call::{Call, Claim};
use super::event::{Event, KeyChanged, SubjectForgotten};
use super::state::State;
use crate::codec::{Decode, Reader};
use crate::command::{Command, CommandKey, Request};
use crate::deduplication::Known;
use crate::effect::{Effect, Effects};
use crate::journal::Journal;
use crate::outcome::{Outcome, Refusal};

/// Headers of the records of one decision, answers without lines, and padding.
const FIXED_BYTES: usize = 2048;
/// All lines a basket can have.
const LINES_BYTES_MAX: usize = 4 + LINES_MAX * (14 + SKU_BYTES_MAX);

/// See [`Shard::decision_bytes_max`].
pub(crate) fn bytes_max(request: &Request<'_>) -> usize {
    let command = &request.command;
    let asked = command.encoded_bytes_max() + request.extra.len() + request.evidence.len();
    let lines = match command {
        // The event and the answer have the lines of the command.
        Command::CreateHold { lines, .. } | Command::JoinLine { lines, .. } => {
            2 * lines.encoded_bytes()
        }
        // So have the beginning, the confirmation and the answer of an order.
        Command::Checkout { .. } => FIXED_BYTES + 5 * LINES_BYTES_MAX,
        Command::ReleaseHold { .. }
        | Command::ExtendHold { .. }
        | Command::SetCartItem { .. }
        | Command::AdvanceOrder { .. } => 2 * LINES_BYTES_MAX,
        _ => 0,
    };
    FIXED_BYTES + asked + lines
}

impl Shard {
    /// Decides a command: at most one reply now, or one later when other shards or a wait are
    /// involved.
    pub fn decide(
        &mut self,
        request: &Request<'_>,
        now_ms: UnixMs,
        journal: &mut dyn Journal,
        effects: &mut Effects,
    ) {
        let now_ms = self.clock.advance(now_ms);
        let accepted = self.clock.accept(request.accepted);
        let mut call = Call {
            since: journal.sequence(),
            now_ms,
            journal,
            effects,
            claim: Claim::new(request, accepted),
            reply_to: Some(request.reply_to),
            seen: None,
        };
        if request.command.reads_only() {
            self.read(&mut call, &request.command);
            return;
        }
        assert_ne!(request.identity, CommandKey::default(), "what changes has an identity");
        self.expect_request(request, now_ms);
        match self.state.window.find(&request.identity) {
            Known::Nothing => {}
            Known::Answered(_) => return self.repeat(&mut call, request),
            Known::Deciding => return self.refuse(&mut call, Refusal::StillDeciding),
            Known::OtherBody => return self.refuse(&mut call, Refusal::IdempotencyMismatch),
        }
        self.expect_values(request);
        if !self.state.window.has_room(now_ms) {
            return self.refuse(&mut call, Refusal::WindowFull);
        }
        self.decide_new(&mut call, request);
    }

    fn decide_new(&mut self, call: &mut Call<'_>, request: &Request<'_>) {
        let entropy = request.entropy;
        match request.command {
            Command::PutProduct { .. } => self.put_product(call, &request.command),
            Command::MoveStock { sku, delta, reason } => {
                self.move_stock(call, sku, delta, reason);
            }
            Command::ChangePrice { sku, price } => self.change_price(call, sku, price),
            Command::PutCoupon { code, terms } => self.put_coupon(call, code, terms),
            Command::CreateCart { session } => self.create_cart(call, session, entropy),
            Command::SetCartItem { .. } => self.set_cart_item(call, &request.command),
            Command::CreateHold { session, lines, ttl_ms } => {
                let wish = holds::Wish { session, lines, ttl_ms, entropy };
                self.create_hold(call, &wish);
            }
            Command::JoinLine { .. } => self.join_line(call, request),
            Command::ReleaseHold { hold, session } => self.release_hold(call, hold, session),
            Command::ExtendHold { hold, session, ttl_ms } => {
                self.extend_hold(call, hold, session, ttl_ms);
            }
            Command::Checkout { .. } => self.check_out(call, request),
            Command::AdvanceOrder { order, session, step } => {
                self.advance_order(call, order, session, step);
            }
            Command::StepSaga { order, step } => self.step_saga(call, order, step),
            Command::RecordEvent { .. } => self.record_event(call, &request.command, entropy),
            Command::ChangeKey { number, name, role, algorithm, public, revoked } => {
                let key = KeyChanged { number, name, role, algorithm, public, revoked };
                self.change_key(call, &key);
            }
            Command::ForgetSubject { number, subject, at_ms, by } => {
                let event =
                    Event::SubjectForgotten(SubjectForgotten { number, subject, at_ms, by });
                self.commit_answered(call, &event, Show::SubjectForgotten);
            }
            Command::ReadProduct { .. }
            | Command::ListProducts { .. }
            | Command::ReadCoupon { .. }
            | Command::ReadCart { .. }
            | Command::ReadHold { .. }
            | Command::ReadOrder { .. }
            | Command::ReadOrderRecords { .. }
            | Command::ReadSession { .. }
            | Command::ReadSaga { .. }
            | Command::ListSagas { .. }
            | Command::ReadState => unreachable!("reads were answered before"),
        }
    }

    /// Says no. What is not of the moment only is an event, so that a repeat gets the same no.
    pub(crate) fn refuse(&mut self, call: &mut Call<'_>, refusal: Refusal<'_>) {
        if refusal.is_momentary() {
            self.reply(call, Show::Refused(refusal));
        } else {
            self.commit_answered(call, &Event::CommandRefused, Show::Refused(refusal));
        }
    }

    /// Gives the first answer again; an order is shown as it is now.
    fn repeat(&mut self, call: &mut Call<'_>, request: &Request<'_>) {
        let Known::Answered(answer) = self.state.window.find(&request.identity) else { return };
        if let Command::Checkout { wait_until_ms, .. } = request.command
            && let Ok(Outcome::Order(view)) = Outcome::decode(&mut Reader::new(answer))
            && self.state.orders.find(&view.order.0).is_some()
        {
            let order = view.order;
            return self.answer_order(
                call,
                order,
                Patience { until_ms: wait_until_ms, repeated: true },
            );
        }
        let outcome = call.effects.copy(answer);
        let (to, sequence) = (request.reply_to, call.journal.sequence());
        call.effects.push(Effect::Reply { to, outcome, sequence, repeated: true });
    }

    fn change_key(&mut self, call: &mut Call<'_>, key: &KeyChanged<'_>) {
        let known = self.state.keys.contains_key(&key.number);
        if !known && self.state.keys.len() >= claw_common::limits::KEYS_MAX {
            return self.refuse(call, Refusal::CapacityFull { slab: "keys" });
        }
        self.commit_answered(call, &Event::KeyChanged(*key), Show::KeyChanged);
    }

    /// A new id whose home is this shard; the entropy is stepped in the unlikely case it is taken.
    pub(crate) fn new_id(&self, call: &Call<'_>, entropy: u64) -> Id {
        let State { carts, holds, orders, .. } = &self.state;
        let mut entropy = entropy;
        loop {
            let id = Id::version_7(call.now_ms, entropy, self.config.shard);
            let key = &id.0;
            let taken = [carts.find(key), holds.find(key), orders.find(key)];
            if taken == [None; 3] {
                return id;
            }
            entropy = entropy.wrapping_add(1);
        }
    }
}

/// Until when an order's answer may be parked, and whether it repeats an earlier one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) until_ms: UnixMs,
    pub(crate) repeated: bool,
}

/// Whether a value of `owner` may be touched by who asks.
pub(crate) fn may_touch(owner: &str, session: Option<&str>) -> bool {
    session.is_none_or(|session| session == owner)
}
