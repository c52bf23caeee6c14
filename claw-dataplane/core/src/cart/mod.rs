//! Carts: what a session thinks of buying. Nothing is reserved by a cart.
//!
//! The home shard is where the cart was made; prices are those read from the SKU's shard when a
//! line was set, and only shown: an order fixes its own. Every cart may be evicted, the one longest
//! untouched first (reads do not touch: they are not in the log, and eviction must replay).

use claw_common::id::{Id, Session};
use claw_common::money::{Currency, Money};

use crate::codec::{CodecError, Encode, Reader, Writer};
use crate::inventory::hold::read_session;
use crate::inventory::stored_lines::StoredLines;
use crate::lines::{Lines, LinesBuffer, LinesError};
use crate::outcome::CartView;
use crate::stdx::Keyed;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Cart {
    /// Cart.
    pub id: Id,
    /// Whose.
    pub session: Session,
    /// Currency of all lines; `None` while empty.
    pub currency: Option<Currency>,
    /// Lines with the prices read.
    pub lines: StoredLines,
}

/// A line as it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// SKU.
    pub sku: &'a str,
    /// Units; 0 removes.
    pub quantity: u32,
    /// Unit price read.
    pub price: Money,
}

impl Cart {
    /// An empty cart.
    pub fn new(id: Id, session: Session) -> Self {
        let lines = StoredLines::new(Lines::default());
        Self { id, session, currency: None, lines }
    }

    /// The cart as it is now.
    pub fn view(&self) -> CartView<'_> {
        CartView { cart: self.id, lines: self.lines.lines(), currency: self.currency }
    }

    /// Whether a line of this SKU is in it.
    pub fn contains(&self, sku: &str) -> bool {
        self.lines.lines().iter().any(|line| line.sku == sku)
    }

    /// Sets or removes a line.
    pub(crate) fn set(
        &mut self,
        item: Item<'_>,
        buffer: &mut LinesBuffer,
    ) -> Result<(), LinesError> {
        buffer.clear();
        for line in self.lines.lines().iter().filter(|line| line.sku != item.sku) {
            buffer.add(line.sku, line.quantity, line.unit_price)?;
        }
        if item.quantity > 0 {
            buffer.add(item.sku, item.quantity, item.price.amount)?;
        }
        let lines = buffer.lines();
        self.currency = match (lines.is_empty(), item.quantity) {
            (true, _) => None,
            (false, 0) => self.currency,
            (false, _) => Some(item.price.currency),
        };
        self.lines = StoredLines::new(lines);
        Ok(())
    }

    pub(crate) fn empty(&mut self) {
        *self = Self::new(self.id, self.session);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: r.id()?,
            session: read_session(r)?,
            currency: r.option(Reader::currency)?,
            lines: StoredLines::read(r)?,
        })
    }
}

impl Keyed for Cart {
    fn key(&self) -> &[u8] {
        &self.id.0
    }
}

impl Encode for Cart {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.id);
        w.text(self.session.as_str());
        w.option(self.currency, Writer::currency);
        self.lines.lines().encode(w);
    }
}
