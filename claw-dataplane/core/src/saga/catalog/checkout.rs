//! The checkout: from a basket to an order that is paid.
//!
//! *Confirm* sells the stock, so that no expiry can take it back, and is still undone when the
//! capture is refused for good. The recorded result of *capture* is the pivot. Pricing is the
//! hold's until functions join, scoring passes until the fraud models join: both are steps already,
//! so that neither moves another.
//!
//! An order that costs nothing, or a store that takes no payments, goes from *score* to *confirm*,
//! and from there to *place*.

use crate::payment::PaymentStep;
use crate::saga::{Action, Saga, Step, Way};

/// Index of *reserve*.
pub const RESERVE: u8 = 0;
/// Index of *authorize*.
pub const AUTHORIZE: u8 = 4;
/// Index of *confirm*.
pub const CONFIRM: u8 = 5;
/// Index of *capture*.
pub const CAPTURE: u8 = 6;
/// Index of *place*.
pub const PLACE: u8 = 7;

const RETURN_COUPON: Option<Action> = Some(Action::ReturnCoupon);
const VOID: Option<Action> = Some(Action::Pay(PaymentStep::Void));

/// See the module.
#[rustfmt::skip]
pub static SAGA: Saga = Saga {
    name: "checkout",
    steps: &[
        step("reserve", Action::Reserve, Some(Action::Release), Way::Compensatable),
        step("price", Action::Price, None, Way::Compensatable),
        step("coupon", Action::HoldCoupon, RETURN_COUPON, Way::Compensatable),
        step("score", Action::Score, None, Way::Compensatable),
        step("authorize", Action::Pay(PaymentStep::Authorize), VOID, Way::Compensatable),
        step("confirm", Action::Confirm, Some(Action::GiveBack), Way::Compensatable),
        step("capture", Action::Pay(PaymentStep::Capture), None, Way::Pivot),
        step("place", Action::Place, None, Way::Retriable),
    ],
};

const fn step(name: &'static str, action: Action, undo: Option<Action>, way: Way) -> Step {
    Step { name, action, undo, way }
}
