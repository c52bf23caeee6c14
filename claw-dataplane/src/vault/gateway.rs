//! What the vault needs of a payment gateway: one trait, so that another gateway is another file.

use claw_common::id::Id;
use claw_common::money::Currency;

/// Where a payment stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The amount is held.
    Authorized,
    /// The amount is taken.
    Captured,
    /// The shopper has to act.
    RequiresAction,
    /// Refused: the means of payment does not do.
    Declined,
    /// Given up: nothing is held.
    Canceled,
    /// The gateway does not know yet.
    Processing,
}

/// A payment at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The gateway's name for it.
    pub id: String,
    /// Where it stands.
    pub status: Status,
    /// What the shopper's browser shows the gateway; may be empty.
    pub client_secret: String,
    /// Why it was declined; may be empty.
    pub code: String,
}

/// What is to be authorised.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// For which order.
    pub order: Id,
    /// Minor units as we count them.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// The shopper's means of payment, as the gateway's own token.
    pub token: &'a str,
}

/// Why a call gave no payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The gateway says no to the means of payment.
    Declined {
        /// Its word for why.
        code: String,
    },
    /// The gateway says no to the request: it is not in a state for it, or does not exist.
    Refused {
        /// Its word for why.
        code: String,
    },
    /// Nobody knows what became of it: no answer, or "later".
    Unknown {
        /// What stands in the way.
        code: String,
    },
}

/// A payment gateway. Every call that changes something carries a key: the same key is the same
/// call, however often it arrives.
pub trait Gateway: Send + Sync {
    /// Holds an amount.
    fn authorize(&self, charge: &Charge<'_>, key: &str) -> Result<Intent, Trouble>;
    /// Takes what is held.
    fn capture(&self, intent: &str, key: &str) -> Result<Intent, Trouble>;
    /// Gives up what is held.
    fn cancel(&self, intent: &str, key: &str) -> Result<Intent, Trouble>;
    /// Gives back what was taken.
    fn refund(&self, intent: &str, key: &str) -> Result<(), Trouble>;
    /// Reads a payment.
    fn read(&self, intent: &str) -> Result<Intent, Trouble>;
    /// Looks for the payment of an order. What was made a minute ago may not be found yet.
    fn find(&self, order: Id) -> Result<Option<Intent>, Trouble>;
}
