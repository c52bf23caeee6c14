//! What the vault answers, once its own log holds it.

use claw_common::id::{Id, ShardId};

use super::ask::{PaymentStep, bounded};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Order.
    pub order: Id,
    /// The order's home.
    pub shard: ShardId,
    /// What was asked.
    pub step: PaymentStep,
    /// What came of it.
    pub verdict: Verdict<'a>,
}

/// What came of a step. All but `Unavailable` and `RequiresAction` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Done: authorised, captured, voided or refunded, as asked.
    Done {
        /// The gateway's name for the payment; empty where there never was one (a void of nothing).
        intent: &'a str,
    },
    /// The shopper has to prove who they are; an authorisation only.
    RequiresAction {
        /// The gateway's name for the payment.
        intent: &'a str,
        /// What the shopper's browser shows the gateway. Never logged in clear.
        client_secret: &'a str,
    },
    /// The gateway says no, for good.
    Refused {
        /// The gateway's word for why, such as `insufficient_funds`.
        code: &'a str,
    },
    /// Nobody knows yet: the gateway cannot be reached, or did not say. Ask again later.
    Unavailable {
        /// What stands in the way.
        code: &'a str,
    },
}

impl Verdict<'_> {
    /// Whether asking again gives the same.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Refused { .. })
    }
}

impl Encode for Verdict<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Done { intent } => {
                writer.u8(1);
                writer.text(intent);
            }
            Self::RequiresAction { intent, client_secret } => {
                writer.u8(2);
                writer.text(intent);
                writer.text(client_secret);
            }
            Self::Refused { code } => {
                writer.u8(3);
                writer.text(code);
            }
            Self::Unavailable { code } => {
                writer.u8(4);
                writer.text(code);
            }
        }
    }
}

impl<'a> Decode<'a> for Verdict<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Ok(Self::Done { intent: bounded(reader)? }),
            2 => Ok(Self::RequiresAction {
                intent: bounded(reader)?,
                client_secret: bounded(reader)?,
            }),
            3 => Ok(Self::Refused { code: bounded(reader)? }),
            4 => Ok(Self::Unavailable { code: bounded(reader)? }),
            _ => Err(reader.invalid("verdict")),
        }
    }
}

impl Encode for Answer<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.id(self.order);
        writer.u16(self.shard.0);
        writer.u8(self.step as u8);
        self.verdict.encode(writer);
    }
}

impl<'a> Decode<'a> for Answer<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: reader.id()?,
            shard: ShardId(reader.u16()?),
            step: PaymentStep::decode(reader)?,
            verdict: Verdict::decode(reader)?,
        })
    }
}
