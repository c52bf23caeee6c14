//! Running effects: answers to connections or other cores, messages to shards.
//!
//! Only called with effects of positions that are durable. Owns the two routes of more than one
//! outcome: the price that a cart item needs, and lists over all shards.

use claw_common::id::{Position, ShardId};
use claw_core::codec::{Decode, Reader};
use claw_core::command::{Command, ReplyTo, Request};
use claw_core::effect::{Effect, Effects};
use claw_core::outcome::Outcome;

use crate::ring::ConnectionId;

use super::core::Core;
use super::envelope::{Envelope, OutcomeLetter, ReplyAddress, encode_request};
use super::pending::{Gather, Pending, Place, Stage};
use super::shared::CoreCounters;
use super::slab::SlabKey;
use super::work::Work;

impl Core {
    pub(super) fn counters(&self) -> &CoreCounters {
        &self.shared.cores()[self.id.index()]
    }

    /// Runs the effects of every block that has become durable, in order.
    pub(super) fn deliver_durable(&mut self) {
        let watermark = self.stream.watermark();
        for index in 0..self.lanes.len() {
            let mut moved = false;
            while let Some(durable) = self.lanes[index].take_durable(watermark) {
                self.shared.publish(self.lanes[index].id(), durable.sequence);
                self.run_effects(index, &durable.effects);
                self.lanes[index].recycle(durable.effects);
                moved = true;
            }
            // Freed slots may be what decisions wait for.
            if moved {
                self.stream.refill(&mut self.lanes[index]);
            }
        }
    }

    /// Runs effects of one lane.
    pub(super) fn run_effects(&mut self, lane: usize, effects: &Effects) {
        let shard = self.lanes[lane].id();
        for effect in effects.list() {
            match *effect {
                Effect::Reply { to, outcome, sequence, .. } => {
                    self.reply(shard, to, effects.bytes(outcome), sequence);
                }
                Effect::Send { to, message } => {
                    self.send_message(shard, to, effects.bytes(message).into());
                }
                Effect::AskVault { ask } => self.ask_vault(effects.bytes(ask)),
                Effect::Notify { notice, place } => {
                    self.notify(shard, place, effects.bytes(notice));
                }
            }
        }
    }

    fn reply(&mut self, shard: ShardId, to: ReplyTo, outcome: &[u8], sequence: u64) {
        let core = ReplyAddress::unpack(to).core;
        if core == self.id {
            self.answer(to, outcome, shard, sequence);
        } else {
            let letter = OutcomeLetter { to, outcome: outcome.into(), shard, sequence };
            self.mesh.send(core, Envelope::Outcome(letter));
        }
    }

    fn send_message(&mut self, from: ShardId, to: ShardId, message: Box<[u8]>) {
        let core = self.placement.core_of(to);
        if core == self.id {
            self.inbox.push_back(Work::Message { from, to, message });
        } else {
            self.mesh.send(core, Envelope::Message { from, to, message });
        }
    }

    /// Takes an outcome for a request this core accepted.
    pub(super) fn answer(&mut self, to: ReplyTo, outcome: &[u8], shard: ShardId, sequence: u64) {
        let address = ReplyAddress::unpack(to);
        let key = SlabKey { index: address.index, generation: address.generation };
        let Some(pending) = self.pending.find(key) else { return };
        match &mut pending.stage {
            Stage::Answer => {
                let pending = self.pending.remove(key).expect("just found");
                self.render(&pending, outcome, shard, sequence);
            }
            Stage::Gather(gather) => {
                gather.parts.push(outcome.into());
                gather.outstanding -= 1;
                if gather.outstanding == 0 {
                    let pending = self.pending.remove(key).expect("just found");
                    self.render_list(&pending);
                }
            }
            Stage::KeyChange => {
                self.pending.remove(key);
                self.key_logged();
            }
            Stage::Ticket => unreachable!("no shard answers for a desk"),
            &mut Stage::Changes { connection, shard: asked } => {
                self.pending.remove(key);
                self.take_changes(connection, outcome, (asked, sequence));
            }
            Stage::Stock { sku } => {
                let sku = std::mem::take(sku);
                self.pending.remove(key);
                self.take_stock(&sku, outcome);
            }
            Stage::Webhook => unreachable!("no shard answers for the vault"),
            Stage::Forget => {
                self.pending.remove(key);
                let told = Outcome::decode(&mut Reader::new(outcome));
                self.forgotten_told(matches!(told, Ok(Outcome::SubjectForgotten)));
            }
            Stage::Receipt => self.ask_prover(key, outcome, Position { shard, sequence }),
            // The home shard answers once.
            Stage::Prove(_) => {}
            Stage::Price { .. } => self.ask_with_price(key, outcome, shard, sequence),
        }
    }

    /// Puts the price into the cart request that waited for it, and asks the cart's home.
    fn ask_with_price(&mut self, key: SlabKey, outcome: &[u8], shard: ShardId, sequence: u64) {
        let pending = self.pending.find(key).expect("just found");
        let Stage::Price { home, request } = std::mem::replace(&mut pending.stage, Stage::Answer)
        else {
            unreachable!("the caller matched the stage")
        };
        let price = match Outcome::decode(&mut Reader::new(outcome)) {
            Ok(Outcome::Product(view)) => Some(view.price),
            Ok(Outcome::Refused(_)) => None,
            Ok(_) | Err(_) => {
                let pending = self.pending.remove(key).expect("just found");
                self.render(&pending, outcome, shard, sequence);
                return;
            }
        };
        let mut priced = Request::decode(&mut Reader::new(&request)).expect("encoded by this core");
        if let Command::SetCartItem { price: unknown, .. } = &mut priced.command {
            *unknown = price;
        }
        let request = encode_request(&priced);
        let core = self.placement.core_of(home);
        if core == self.id {
            self.inbox.push_back(Work::Request { shard: home, request });
        } else {
            self.mesh.send(core, Envelope::Request { shard: home, request });
        }
    }

    pub(super) fn render(
        &mut self,
        pending: &Pending,
        outcome: &[u8],
        shard: ShardId,
        sequence: u64,
    ) {
        let Some(asker) = &pending.asker else { return };
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while effects run");
        let position = Position { shard, sequence };
        match asker.place {
            Place::Http(ticket, context) => {
                peer.answers.complete(ticket, &mut peer.send, |out| {
                    gate.render(out, context, outcome, position);
                });
            }
            Place::Wire(place) => gate.render_wire(peer, place, outcome, (position, self.now_ms)),
        }
        self.unstall(asker.connection);
    }

    /// Reads on from a connection that had no room for another request.
    pub(super) fn unstall(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.peers.touch(connection)
            && peer.pipeline_full
            && peer.has_room()
        {
            peer.pipeline_full = false;
            peer.stalled = true;
            self.stalled.push_back(connection);
        }
    }

    fn render_list(&mut self, pending: &Pending) {
        let Stage::Gather(Gather { limit, parts, .. }) = &pending.stage else {
            unreachable!("the caller matched the stage")
        };
        let Some(asker) = &pending.asker else { return };
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while effects run");
        let Place::Http(ticket, context) = asker.place else {
            unreachable!("the wire protocol has no lists")
        };
        peer.answers.complete(ticket, &mut peer.send, |out| {
            gate.render_list(out, context, parts, *limit);
        });
        self.unstall(asker.connection);
    }
}
