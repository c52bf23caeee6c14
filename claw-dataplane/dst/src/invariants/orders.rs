//! An order follows its transition table, written down here a second time.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_core::outcome::OrderState;
use claw_core::payment::Verdict;
use claw_core::shard::event::Event;

use super::Fact;
use crate::violation::{Checked, check};

const NAME: &str = "an order follows its table";

/// What may come before each state.
const TABLE: &[(OrderState, &[Option<OrderState>])] = &[
    (OrderState::Reserving, &[None]),
    (OrderState::Authorizing, &[Some(OrderState::Reserving)]),
    (
        OrderState::RequiresAction,
        &[Some(OrderState::Authorizing), Some(OrderState::RequiresAction)],
    ),
    (
        OrderState::Confirming,
        &[
            Some(OrderState::Reserving),
            Some(OrderState::Authorizing),
            Some(OrderState::RequiresAction),
        ],
    ),
    (OrderState::Capturing, &[Some(OrderState::Confirming)]),
    (OrderState::Placed, &[Some(OrderState::Confirming), Some(OrderState::Capturing)]),
    (
        OrderState::Cancelled,
        &[
            Some(OrderState::Reserving),
            Some(OrderState::Authorizing),
            Some(OrderState::RequiresAction),
            Some(OrderState::Capturing),
            Some(OrderState::Placed),
        ],
    ),
    (OrderState::Shipped, &[Some(OrderState::Placed)]),
    (OrderState::Refunded, &[Some(OrderState::Placed), Some(OrderState::Shipped)]),
];

/// Each order's state.
#[derive(Debug, Default)]
pub(super) struct Orders {
    states: BTreeMap<Id, OrderState>,
}

impl Orders {
    pub(super) fn record(&mut self, fact: &Fact<'_>) -> Checked {
        let (order, to) = match fact.event {
            Event::OrderCreated(created) => (created.order, OrderState::Reserving),
            Event::OrderAuthorizing { order, .. } => (order, OrderState::Authorizing),
            Event::PaymentAnswered { order, verdict: Verdict::RequiresAction { .. }, .. } => {
                (order, OrderState::RequiresAction)
            }
            Event::OrderCapturing { order } => (order, OrderState::Capturing),
            Event::OrderConfirming { order, .. } => (order, OrderState::Confirming),
            Event::OrderPlaced { order } => (order, OrderState::Placed),
            Event::OrderCancelled { order, .. } => (order, OrderState::Cancelled),
            Event::OrderShipped { order } => (order, OrderState::Shipped),
            Event::OrderRefunded { order } => (order, OrderState::Refunded),
            _ => return Ok(()),
        };
        let from = self.states.insert(order, to);
        let row = TABLE.iter().find(|(state, _)| *state == to);
        check(row.is_some_and(|(_, allowed)| allowed.contains(&from)), NAME, || {
            format!("order {order}: {from:?}, then {to:?}")
        })
    }
}
