//! Notices: what watchers of a topic are told. Facts already in the log, made small.
//!
//! Owns the bytes only; who watches, and with which cursor, is the shell's business. A notice is
//! an effect, so it leaves after the event it tells of is durable.

use claw_common::id::Id;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::outcome::{CancelReason, HoldState, OrderState};

/// One thing worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A hold ended or changed.
    Hold {
        /// Topic.
        session: &'a str,
        /// Hold.
        hold: Id,
        /// State it is in now.
        state: HoldState,
    },
    /// An order moved on.
    Order {
        /// Topic.
        session: &'a str,
        /// Order.
        order: Id,
        /// State it is in now.
        state: OrderState,
        /// Why it was cancelled.
        reason: Option<CancelReason>,
    },
    /// A cart changed.
    Cart {
        /// Topic.
        session: &'a str,
        /// Cart.
        cart: Id,
    },
    /// An order's saga cannot go on by itself. For operators: no shopper's topic.
    SagaParked {
        /// Order.
        order: Id,
        /// The step it is parked at.
        step: &'a str,
    },
}

/// Most bytes a notice needs.
pub const NOTICE_BYTES_MAX: usize = 1 + 16 + 1 + 2 + 2 + claw_common::limits::SESSION_BYTES_MAX;

impl<'a> Notice<'a> {
    /// Whose it is; nothing for what is for operators.
    pub const fn session(&self) -> Option<&'a str> {
        match self {
            Notice::Hold { session, .. }
            | Notice::Order { session, .. }
            | Notice::Cart { session, .. } => Some(session),
            Notice::SagaParked { .. } => None,
        }
    }
}

impl Encode for Notice<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match *self {
            Notice::Hold { session, hold, state } => {
                writer.u8(1);
                writer.id(hold);
                writer.u8(state as u8);
                writer.text(session);
            }
            Notice::Order { session, order, state, reason } => {
                writer.u8(2);
                writer.id(order);
                writer.u8(state as u8);
                writer.option(reason, |w, reason| w.u8(reason as u8));
                writer.text(session);
            }
            Notice::Cart { session, cart } => {
                writer.u8(4);
                writer.id(cart);
                writer.text(session);
            }
            Notice::SagaParked { order, step } => {
                writer.u8(3);
                writer.id(order);
                writer.text(step);
            }
        }
    }
}

impl<'a> Decode<'a> for Notice<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => {
                let (hold, state) = (reader.id()?, HoldState::decode(reader)?);
                Ok(Self::Hold { session: reader.text()?, hold, state })
            }
            2 => {
                let (order, state) = (reader.id()?, OrderState::decode(reader)?);
                let reason = reader.option(CancelReason::decode)?;
                Ok(Self::Order { session: reader.text()?, order, state, reason })
            }
            4 => Ok(Self::Cart { cart: reader.id()?, session: reader.text()? }),
            3 => Ok(Self::SagaParked { order: reader.id()?, step: reader.text()? }),
            _ => Err(reader.invalid("notice")),
        }
    }
}
