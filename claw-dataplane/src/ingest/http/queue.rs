//! Answers in the order of their requests, whatever order they are decided in.
//!
//! Each request gets a ticket. An answer to the oldest open ticket is written straight into the
//! send buffer; one that must wait for an older one is kept, in memory that is used again.

use std::collections::VecDeque;

use claw_common::limits::PIPELINE_MAX;

/// The place of an answer, counted from 0 within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// The open tickets of one connection.
#[derive(Debug, Default)]
pub struct ResponseQueue {
    /// Ticket of the front.
    first: u32,
    /// `None` while open.
    answers: VecDeque<Option<Vec<u8>>>,
    spare: Vec<Vec<u8>>,
}

impl ResponseQueue {
    /// A ticket for a request just taken.
    pub fn open(&mut self) -> Ticket {
        let count = u32::try_from(self.answers.len()).expect("bounded by the pipeline");
        self.answers.push_back(None);
        Ticket(self.first.wrapping_add(count))
    }

    /// Whether another request may be taken: else answer [`super::Flow::Pause`].
    pub fn has_room(&self) -> bool {
        self.answers.len() < PIPELINE_MAX
    }

    /// Whether every ticket is answered and handed out.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Unanswered or waiting tickets.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Writes an answer with `write`, into `send` as soon as its turn has come. A ticket that is
    /// not open any more is ignored: `write` is not called.
    pub fn complete(
        &mut self,
        ticket: Ticket,
        send: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let index = usize::try_from(ticket.0.wrapping_sub(self.first)).expect("32 bits fit");
        let Some(slot) = self.answers.get_mut(index).filter(|slot| slot.is_none()) else { return };
        if index > 0 {
            let mut answer = self.spare.pop().unwrap_or_default();
            write(&mut answer);
            *slot = Some(answer);
            return;
        }
        write(send);
        self.advance();
        while let Some(Some(mut answer)) = self.answers.front_mut().map(Option::take) {
            send.append(&mut answer);
            self.spare.push(answer);
            self.advance();
        }
    }

    /// Forgets all tickets, when the connection is gone.
    pub fn clear(&mut self) {
        let count = u32::try_from(self.answers.len()).expect("bounded by the pipeline");
        self.first = self.first.wrapping_add(count);
        self.answers.clear();
        self.spare.clear();
    }

    fn advance(&mut self) {
        self.answers.pop_front();
        self.first = self.first.wrapping_add(1);
    }
}
