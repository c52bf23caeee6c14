//! What is shown of the state: outcomes borrowed from it, encoded once.

use claw_common::id::Id;

use super::state::State;
use crate::outcome::{Outcome, Refusal};

/// Names what an answer shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Show<'a> {
    Cart(Id),
    CartCreated(Id),
    Coupon { code: &'a str, created: bool },
    Hold { hold: Id, created: bool },
    EventRecorded { event: Id, name: &'a str, version: u16 },
    KeyChanged,
    Order(Id),
    OrderRecords(Id),
    Product { sku: &'a str, created: bool },
    Refused(Refusal<'a>),
    Saga(Id),
    SubjectForgotten,
}

impl State {
    /// The outcome; what is named must be there.
    pub(crate) fn show<'a>(&'a self, show: Show<'a>) -> Outcome<'a> {
        let there = "what was just decided is there";
        match show {
            Show::Cart(cart) => Outcome::Cart(self.carts.get(&cart.0).expect(there).view()),
            Show::CartCreated(cart) => Outcome::CartCreated { cart },
            Show::Coupon { code, created } => {
                Outcome::Coupon(self.coupons.get(code.as_bytes()).expect(there).view(created))
            }
            Show::Hold { hold, created } => {
                Outcome::Hold(self.holds.get(&hold.0).expect(there).view(created))
            }
            Show::EventRecorded { event, name, version } => {
                Outcome::EventRecorded { event, name, version }
            }
            Show::KeyChanged => Outcome::KeyChanged,
            Show::Order(order) => Outcome::Order(self.orders.get(&order.0).expect(there).view()),
            Show::OrderRecords(order) => {
                let sequences = &self.orders.get(&order.0).expect(there).records;
                Outcome::OrderRecords { order, sequences }
            }
            Show::Product { sku, created } => {
                Outcome::Product(self.products.get(sku).expect(there).view(created))
            }
            Show::Refused(refusal) => Outcome::Refused(refusal),
            Show::Saga(order) => Outcome::Saga(self.orders.get(&order.0).expect(there).saga_view()),
            Show::SubjectForgotten => Outcome::SubjectForgotten,
        }
    }
}
