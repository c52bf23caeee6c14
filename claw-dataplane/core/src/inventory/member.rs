//! A reservation made for another shard's hold or order: the member side.
//!
//! The home decides; this side only reserves, settles and gives back, each at most once. What was
//! given back stays known, so that a late or repeated message finds it done. Reservations that are
//! held are never evicted; settled and undone ones are, oldest first, and the home then says in its
//! `Undo` what had been sold.

use claw_common::id::{ShardId, Sku};

use super::stored_lines::StoredLines;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::shard::message::PartKey;
use crate::stdx::Keyed;

/// How far a reservation has come; never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Reserved.
    Held = 1,
    /// Sold.
    Settled = 2,
    /// Given back, or never made and never to be.
    Undone = 3,
}

/// What is reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Stock.
    Lines(StoredLines),
    /// A use of a coupon, and what it takes off.
    Coupon {
        /// Code.
        code: Sku,
        /// Minor units.
        discount: i64,
    },
    /// Nothing: undone before it was made.
    Nothing,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    key_bytes: [u8; 17],
    /// Who decides about it.
    home: ShardId,
    /// How far it has come.
    pub(crate) phase: Phase,
    /// What is reserved.
    pub(crate) reserved: Reserved,
}

impl Member {
    /// A reservation as it is made.
    pub fn new(key: PartKey, home: ShardId, phase: Phase, reserved: Reserved) -> Self {
        Self { key_bytes: key_bytes(key), home, phase, reserved }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let key = PartKey::decode(r)?;
        let home = ShardId(r.u16()?);
        let phase = match r.u8()? {
            1 => Phase::Held,
            2 => Phase::Settled,
            3 => Phase::Undone,
            _ => return Err(r.invalid("phase")),
        };
        let reserved = match r.u8()? {
            0 => Reserved::Nothing,
            1 => Reserved::Lines(StoredLines::read(r)?),
            2 => {
                let code = Sku::copy(r.text()?).ok_or_else(|| r.invalid("code"))?;
                Reserved::Coupon { code, discount: r.i64()? }
            }
            _ => return Err(r.invalid("reserved")),
        };
        Ok(Self::new(key, home, phase, reserved))
    }
}

/// The bytes a reservation is found by.
pub fn key_bytes(key: PartKey) -> [u8; 17] {
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&key.id.0);
    bytes[16] = key.part as u8;
    bytes
}

impl Keyed for Member {
    fn key(&self) -> &[u8] {
        &self.key_bytes
    }
}

impl Encode for Member {
    fn encode(&self, w: &mut Writer<'_>) {
        w.raw(&self.key_bytes);
        w.u16(self.home.0);
        w.u8(self.phase as u8);
        match &self.reserved {
            Reserved::Nothing => w.u8(0),
            Reserved::Lines(lines) => {
                w.u8(1);
                lines.lines().encode(w);
            }
            Reserved::Coupon { code, discount } => {
                w.u8(2);
                w.text(code.as_str());
                w.i64(*discount);
            }
        }
    }
}
