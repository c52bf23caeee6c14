//! Cancel and refund: a placed order is taken back, and what was paid for it.
//!
//! Taking the stock back is the pivot: from there the money has to follow.

use crate::payment::PaymentStep;
use crate::saga::{Action, Saga, Step, Way};

/// See the module.
pub static SAGA: Saga = Saga {
    name: "cancellation",
    steps: &[
        Step { name: "give back", action: Action::GiveBack, undo: None, way: Way::Pivot },
        Step {
            name: "refund",
            action: Action::Pay(PaymentStep::Refund),
            undo: None,
            way: Way::Retriable,
        },
    ],
};
