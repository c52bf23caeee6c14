//! Refund: the money goes back, the goods do not (returned stock is a stock movement of its own).
//!
//! The promise, which the order shows from then on, is the pivot.

use crate::payment::PaymentStep;
use crate::saga::{Action, Saga, Step, Way};

/// See the module.
pub static SAGA: Saga = Saga {
    name: "refund",
    steps: &[
        Step { name: "promise", action: Action::Promise, undo: None, way: Way::Pivot },
        Step {
            name: "refund",
            action: Action::Pay(PaymentStep::Refund),
            undo: None,
            way: Way::Retriable,
        },
    ],
};
