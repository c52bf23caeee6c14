//! Which order state follows which, and by what.
//!
//! ```text
//!  (created)
//!      v        reserved                   settled
//!  reserving ----------------> confirming ----------> placed ---ship---> shipped
//!   |   | pay                    ^     | capture       ^ | \               |
//!   |   v           authorized   |     v     captured  | |  \---refund---\ | refund
//!   | authorizing ---------------+  capturing ---------+ | cancel        v v
//!   |   |     | must act         |     |                 |             refunded
//!   |   |     v     authorized   |     | refused         |
//!   |   | requires_action -------+     |                 |
//!   |   |     |                        |                 |
//!   v   v     v refused, expired,      v                 v
//!  cancelled <-- cancel ---------------+-----------------+
//! ```
//! While *confirming*, what was reserved is being sold on every shard that has a part of it, and
//! the order goes forward only. *Capturing* still turns back when the gateway says no for good:
//! then what was sold comes back. Pricing and scoring are steps of the checkout saga that nobody
//! waits for yet, so nothing leads into those states. A snapshot test holds the whole matrix and
//! this drawing's arrows.

use crate::command::OrderStep;
use crate::outcome::OrderState;

/// What moves an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Every part is reserved, and there is nothing to pay.
    Reserved,
    /// Every part is reserved, and the amount is to be authorised.
    Pay,
    /// The shopper has to prove who they are.
    MustAct,
    /// The amount is authorised.
    Authorized,
    /// Every part is sold, and the amount is to be taken.
    Capture,
    /// The amount is taken.
    Captured,
    /// A part, the coupon or the payment was refused.
    Refused,
    /// Its time ran out.
    Expired,
    /// Every part is sold.
    Settled,
    /// A caller asks to cancel it.
    Cancel,
    /// A caller says it left the warehouse.
    Ship,
    /// A caller pays back.
    Refund,
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Self; 12] = [
        Self::Reserved,
        Self::Pay,
        Self::MustAct,
        Self::Authorized,
        Self::Capture,
        Self::Captured,
        Self::Refused,
        Self::Expired,
        Self::Settled,
        Self::Cancel,
        Self::Ship,
        Self::Refund,
    ];
}

impl From<OrderStep> for Trigger {
    fn from(step: OrderStep) -> Self {
        match step {
            OrderStep::Cancel => Self::Cancel,
            OrderStep::Ship => Self::Ship,
            OrderStep::Refund => Self::Refund,
        }
    }
}

/// The state after `trigger`; `None` where it is refused.
pub const fn next(state: OrderState, trigger: Trigger) -> Option<OrderState> {
    match (state, trigger) {
        (OrderState::Reserving, Trigger::Reserved)
        | (OrderState::Authorizing | OrderState::RequiresAction, Trigger::Authorized) => {
            Some(OrderState::Confirming)
        }
        (OrderState::Reserving, Trigger::Pay) => Some(OrderState::Authorizing),
        (OrderState::Authorizing, Trigger::MustAct) => Some(OrderState::RequiresAction),
        (
            OrderState::Reserving | OrderState::Authorizing | OrderState::RequiresAction,
            Trigger::Refused | Trigger::Expired | Trigger::Cancel,
        )
        | (OrderState::Capturing, Trigger::Refused)
        | (OrderState::Placed, Trigger::Cancel) => Some(OrderState::Cancelled),
        (OrderState::Confirming, Trigger::Settled) | (OrderState::Capturing, Trigger::Captured) => {
            Some(OrderState::Placed)
        }
        (OrderState::Confirming, Trigger::Capture) => Some(OrderState::Capturing),
        (OrderState::Placed, Trigger::Ship) => Some(OrderState::Shipped),
        (OrderState::Placed | OrderState::Shipped, Trigger::Refund) => Some(OrderState::Refunded),
        _ => None,
    }
}

/// Whether an order in this state may be evicted once no shard owes it anything.
pub const fn is_evictable(state: OrderState) -> bool {
    matches!(state, OrderState::Shipped | OrderState::Cancelled | OrderState::Refunded)
}

impl OrderState {
    /// The name in the public interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserving => "reserving",
            Self::Pricing => "pricing",
            Self::Scoring => "scoring",
            Self::Authorizing => "authorizing",
            Self::RequiresAction => "requires_action",
            Self::Confirming => "confirming",
            Self::Capturing => "capturing",
            Self::Placed => "placed",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use super::*;

    #[test]
    fn matrix_is_the_one_that_was_reviewed() {
        let mut matrix = String::new();
        for state in OrderState::ALL {
            for trigger in Trigger::ALL {
                let to = next(state, trigger).map_or("-", OrderState::name);
                writeln!(matrix, "{:<16} {:<10} {to}", state.name(), format!("{trigger:?}"))
                    .unwrap();
            }
        }
        assert_eq!(matrix, include_str!("transitions.txt"));
    }

    #[test]
    fn drawing_is_the_one_that_was_reviewed() {
        let mut drawing = String::from("digraph order {\n");
        for state in OrderState::ALL {
            for trigger in Trigger::ALL {
                if let Some(to) = next(state, trigger) {
                    let (from, to) = (state.name(), to.name());
                    writeln!(drawing, "  {from} -> {to} [label=\"{trigger:?}\"];").unwrap();
                }
            }
        }
        drawing.push_str("}\n");
        assert_eq!(drawing, include_str!("transitions.dot"));
    }
}
