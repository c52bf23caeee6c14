//! Who is served when: one question at a time an order, as many orders at once as there are
//! workers.
//!
//! ```text
//!  take --> known? --> answer
//!       --> order busy? --> waits behind it
//!       --> worker: teller performs --> answer --> next of the same order
//! ```
//! Owns the book and the journal, and that whatever is remembered is durable first. Waiting
//! questions are bounded by the node's open orders, each step of an order waits once.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use claw_common::id::Id;
use claw_core::payment::PaymentStep;

use super::book::{self, Book, OrderBook, Question, Said};
use super::journal::Journal;

/// Where answers go.
pub trait Answers: Send + Sync {
    /// Tells the node. An answer that does not arrive is asked for again.
    fn answer(&self, question: &Question, said: &Said);
}

/// See the module.
pub struct Desk {
    journal: Box<dyn Journal>,
    state: Mutex<State>,
    workers: Mutex<Sender<Question>>,
    answers: Box<dyn Answers>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

struct State {
    book: Book,
    busy: HashMap<Id, VecDeque<Question>>,
}

impl Desk {
    /// A desk over what the log knew.
    pub fn new(
        journal: Box<dyn Journal>,
        book: Book,
        workers: Sender<Question>,
        answers: Box<dyn Answers>,
    ) -> Self {
        let state = Mutex::new(State { book, busy: HashMap::new() });
        Self { journal, state, workers: Mutex::new(workers), answers }
    }

    /// Takes a question: answers it, or has it answered.
    pub fn take(&self, question: Question) {
        let known = self.said(question.order, question.step);
        if let Some(said) = known {
            return self.answers.answer(&question, &said);
        }
        let mut state = self.state();
        match state.busy.get_mut(&question.order) {
            Some(waiting) if waiting.iter().any(|other| other.step == question.step) => {}
            Some(waiting) => waiting.push_back(question),
            None => {
                state.busy.insert(question.order, VecDeque::new());
                drop(state);
                self.send(question);
            }
        }
    }

    /// What a worker has found out; the order's next question is served.
    pub fn settle(&self, question: &Question, said: &Said) {
        if said.is_final() {
            self.keep(&book::ended(question.order, question.step, said));
        }
        self.answers.answer(question, said);
        let mut state = self.state();
        let next = state.busy.get_mut(&question.order).and_then(VecDeque::pop_front);
        match next {
            Some(next) => {
                drop(state);
                self.send(next);
            }
            None => {
                state.busy.remove(&question.order);
            }
        }
    }

    /// What is known of an order.
    pub fn order(&self, order: Id) -> Option<OrderBook> {
        self.state().book.order(order).cloned()
    }

    /// What came of a step, where that is final.
    pub fn said(&self, order: Id, step: PaymentStep) -> Option<Said> {
        self.state().book.order(order)?.said(step).cloned()
    }

    /// Whether a webhook's event was taken before.
    pub fn knows_event(&self, id: &str) -> bool {
        self.state().book.knows_event(id)
    }

    /// Makes a record durable, then known.
    pub fn keep(&self, record: &[u8]) {
        self.journal.append(record);
        let taken = self.state().book.take(record);
        assert!(taken.is_ok(), "what was just written can be read");
    }

    fn send(&self, question: Question) {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        // Workers end with the process.
        workers.send(question).ok();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
