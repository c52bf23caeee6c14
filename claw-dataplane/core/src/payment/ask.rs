//! What a shard asks of the vault.

use claw_common::id::{Id, ShardId};
use claw_common::limits::PAYMENT_TEXT_BYTES_MAX;
use claw_common::money::Currency;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

/// One thing to be done with an order's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PaymentStep {
    /// Reserve the amount with the shopper's bank.
    Authorize = 1,
    /// Take what was authorised.
    Capture = 2,
    /// See to it that nothing is reserved or taken for the order: an authorisation whose result
    /// nobody knows is resolved first.
    Void = 3,
    /// Pay back what was captured.
    Refund = 4,
}

impl PaymentStep {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authorize, Self::Capture, Self::Void, Self::Refund];

    /// The name in logs, keys and the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

impl Decode<'_> for PaymentStep {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let number = reader.u8()?;
        let found = Self::ALL.into_iter().find(|step| *step as u8 == number);
        found.ok_or_else(|| reader.invalid("payment step"))
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Order.
    pub order: Id,
    /// The order's home, where the answer goes.
    pub shard: ShardId,
    /// What to do.
    pub step: PaymentStep,
    /// How often it was asked before.
    pub attempt: u32,
    /// Minor units of the whole order.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// The shopper's means of payment, as the gateway's own token; empty but for `Authorize`.
    pub token: &'a str,
    /// The gateway's name for the payment; empty while it is not known.
    pub intent: &'a str,
}

impl Encode for Ask<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.id(self.order);
        writer.u16(self.shard.0);
        writer.u8(self.step as u8);
        writer.u32(self.attempt);
        writer.i64(self.amount);
        writer.currency(self.currency);
        writer.text(self.token);
        writer.text(self.intent);
    }
}

impl<'a> Decode<'a> for Ask<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: reader.id()?,
            shard: ShardId(reader.u16()?),
            step: PaymentStep::decode(reader)?,
            attempt: reader.u32()?,
            amount: reader.i64()?,
            currency: reader.currency()?,
            token: bounded(reader)?,
            intent: bounded(reader)?,
        })
    }
}

/// A text of at most [`PAYMENT_TEXT_BYTES_MAX`] bytes.
pub(crate) fn bounded<'a>(reader: &mut Reader<'a>) -> Result<&'a str, CodecError> {
    let text = reader.text()?;
    let fits = text.len() <= PAYMENT_TEXT_BYTES_MAX;
    fits.then_some(text).ok_or_else(|| reader.invalid("payment text"))
}
