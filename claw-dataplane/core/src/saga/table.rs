//! What a saga is made of: steps with what does them, what undoes them, and what a refusal means.

use crate::payment::PaymentStep;

/// One thing that is done, or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stock of all lines is held.
    Reserve,
    /// Held stock comes back.
    Release,
    /// Prices are fixed.
    Price,
    /// A use of the coupon is held.
    HoldCoupon,
    /// The use comes back.
    ReturnCoupon,
    /// The order is scored for fraud.
    Score,
    /// Held stock is sold: it cannot expire any more.
    Confirm,
    /// Sold stock comes back.
    GiveBack,
    /// The order is the shopper's.
    Place,
    /// The order says that its money goes back.
    Promise,
    /// Asked of the vault.
    Pay(PaymentStep),
}

impl Action {
    /// Whether the shard does it within the event that makes it due; else others have to answer.
    pub const fn is_done_here(self) -> bool {
        !matches!(self, Self::Pay(_))
    }

    /// The name people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Price => "price",
            Self::HoldCoupon => "hold coupon",
            Self::ReturnCoupon => "return coupon",
            Self::Score => "score",
            Self::Confirm => "confirm",
            Self::GiveBack => "give back",
            Self::Place => "place",
            Self::Promise => "promise",
            Self::Pay(step) => step.name(),
        }
    }
}

/// What a refusal of a step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything before it is undone.
    Compensatable,
    /// So it is here, but once it is done there is no way back.
    Pivot,
    /// It has to succeed: it is tried again, and parked when it cannot.
    Retriable,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The name people see.
    pub name: &'static str,
    /// What is done.
    pub action: Action,
    /// What takes it back; `None` where nothing has to.
    pub undo: Option<Action>,
    /// What a refusal means.
    pub way: Way,
}

/// A saga as a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saga {
    /// The name people see.
    pub name: &'static str,
    /// Its steps, in order; at most 16.
    pub steps: &'static [Step],
}

/// Names a saga in events, snapshots and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SagaKind {
    /// See [`super::catalog::checkout`].
    Checkout = 1,
    /// See [`super::catalog::cancellation`].
    Cancellation = 2,
    /// See [`super::catalog::refund`].
    Refund = 3,
}

impl SagaKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Checkout, Self::Cancellation, Self::Refund];

    /// Its table.
    pub const fn saga(self) -> &'static Saga {
        match self {
            Self::Checkout => &super::catalog::checkout::SAGA,
            Self::Cancellation => &super::catalog::cancellation::SAGA,
            Self::Refund => &super::catalog::refund::SAGA,
        }
    }
}
