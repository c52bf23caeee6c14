//! Tickets across cores: the desk of a ticket's core is asked, wherever the request came in.
//!
//! Owns the way of a question to a desk and of its answer back to who waits; what a ticket is, and
//! that it opens once, is `ingest::tickets`. Nothing here touches a shard or the log.

use claw_core::command::ReplyTo;

use crate::ingest::decode::TicketWish;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::tickets::{TicketAnswer, TicketQuestion, core_of};
use crate::runtime::placement::CoreId;

use super::core::Core;
use super::envelope::{Envelope, ReplyAddress};
use super::gate::Gate;
use super::peer::Peer;
use super::pending::{Asker, Stage};
use super::slab::SlabKey;

impl Core {
    /// Makes a ticket here, or has it made where a repeat of the request would look for it.
    pub(super) fn take_ticket(
        &mut self,
        place: (&mut Gate, &mut Peer),
        asker: Asker,
        wish: TicketWish,
    ) -> Result<(), Problem> {
        let TicketWish { identity, session } = wish;
        let desk = CoreId(core_of(&identity, self.placement.cores_count()));
        if desk != self.id {
            let question = TicketQuestion::Issue { identity, session };
            return self.ask_desk(desk, question, asker).map(drop);
        }
        let ticket = self.tickets.issue(&identity, session, self.now_ms)?;
        let (gate, peer) = place;
        let (place, context) = asker.over_http();
        peer.answers.complete(place, &mut peer.send, |out| {
            gate.render_ticket(out, context, ticket);
        });
        Ok(())
    }

    /// Asks another core's desk; its answer comes as mail.
    pub(super) fn ask_desk(
        &mut self,
        desk: CoreId,
        question: TicketQuestion,
        asker: Asker,
    ) -> Result<SlabKey, Problem> {
        let key = self.wait(asker, Stage::Ticket)?;
        let to = self.reply_to(key);
        let envelope = Envelope::TicketQuestion { to, question: Box::new(question) };
        match self.mesh.try_send(desk, envelope) {
            Ok(()) => Ok(key),
            Err(_full) => {
                self.pending.remove(key);
                Self::count(&self.counters().overloaded_count, 1);
                let detail = "the core of this ticket is behind; try again in a second";
                Err(Problem::new(ProblemKind::Overloaded, detail))
            }
        }
    }

    /// Answers another core's question.
    pub(super) fn answer_at_desk(&mut self, to: ReplyTo, question: &TicketQuestion) {
        let answer = Box::new(self.tickets.answer(question, self.now_ms));
        let asking = ReplyAddress::unpack(to).core;
        self.mesh.send(asking, Envelope::TicketAnswer { to, answer });
    }

    /// Takes the answer to a question of this core.
    pub(super) fn take_desk_answer(&mut self, to: ReplyTo, answer: TicketAnswer) {
        let address = ReplyAddress::unpack(to);
        let key = SlabKey { index: address.index, generation: address.generation };
        let Some(asker) = self.pending.remove(key).and_then(|pending| pending.asker) else {
            return;
        };
        let (place, context) = asker.over_http();
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while mail is taken");
        match answer {
            TicketAnswer::Issued(Ok(ticket)) => {
                peer.answers.complete(place, &mut peer.send, |out| {
                    gate.render_ticket(out, context, ticket);
                });
            }
            TicketAnswer::Issued(Err(problem)) => {
                gate.refuse(peer, place, context, &problem);
            }
            TicketAnswer::Redeemed(Err(refusal)) => {
                gate.refuse(peer, place, context, &refusal.into());
                self.socket_refused(key);
            }
            TicketAnswer::Redeemed(Ok(session)) => self.socket_redeemed(key, &asker, session),
        }
        self.unstall(asker.connection);
    }
}
