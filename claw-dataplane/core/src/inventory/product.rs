//! A product: description, price with its history, and the counter of its stock.
//!
//! Products are never evicted and never deleted. Changes are events; `version` counts those a
//! source made (description, price, stock), not sales.

use std::collections::BTreeMap;

use claw_common::id::Sku;
use claw_common::limits::{NAME_BYTES_MAX, PRICE_HISTORY_MAX};
use claw_common::money::Money;
use claw_common::time::UnixMs;

use super::counter::Counter;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::command::large_text;
use crate::outcome::ProductView;
use crate::shard::error::ApplyError;
use crate::stdx::{Keyed, KeyedSlab};

/// A price and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricePoint {
    /// From then on.
    pub since_ms: UnixMs,
    /// The price.
    pub price: Money,
}

/// See the module. In the order of memory, since a sale in a large store waits for memory more than
/// for anything else: what a sale reads comes first, in as few cache lines as it fits.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Product {
    /// The latest prices, at most [`PRICE_HISTORY_MAX`], oldest first; the last is `price`. The
    /// first field, because its unused values say whether a slot of a slab is filled.
    pub price_history: Vec<PricePoint>,
    /// SKU.
    pub sku: Sku,
    /// The version of the declaration they were written with, so that they are read as today's.
    pub attributes_version: u16,
    /// Price of holds to come.
    pub price: Money,
    /// Stock.
    pub stock: Counter,
    /// Changes a source made.
    pub version: u64,
    /// Display name.
    pub name: Box<str>,
    /// Canonical JSON object, or empty.
    pub attributes: Box<str>,
}

const _: () = assert!(size_of::<Option<Product>>() <= 184, "three cache lines");

impl Product {
    /// The product as it is now, without its attributes.
    pub fn view(&self, created: bool) -> ProductView<'_> {
        ProductView {
            created,
            sku: self.sku.as_str(),
            name: &self.name,
            price: self.price,
            attributes: "",
            attributes_version: 0,
            received: self.stock.received(),
            removed: self.stock.removed(),
            held: self.stock.held(),
            sold: self.stock.used(),
            version: self.version,
        }
    }

    /// The product as it is now.
    pub fn view_whole(&self) -> ProductView<'_> {
        ProductView {
            attributes: &self.attributes,
            attributes_version: self.attributes_version,
            ..self.view(false)
        }
    }

    fn set_price(&mut self, price: Money, now_ms: UnixMs) {
        if self.price_history.last().is_some_and(|last| last.price == price) {
            return;
        }
        if self.price_history.len() >= PRICE_HISTORY_MAX {
            self.price_history.remove(0);
        }
        self.price = price;
        self.price_history.push(PricePoint { since_ms: now_ms, price });
    }
}

impl Keyed for Product {
    fn key(&self) -> &[u8] {
        self.sku.as_bytes()
    }
}

/// All products of a shard.
#[derive(Clone, Debug)]
pub struct Products {
    slab: KeyedSlab<Product>,
    /// For lists; changes only when a product is made.
    in_order: BTreeMap<Sku, u32>,
}

impl Products {
    /// Takes the memory of `capacity` products.
    pub fn with_capacity(capacity: u32) -> Self {
        Self { slab: KeyedSlab::with_capacity(capacity), in_order: BTreeMap::new() }
    }

    /// Whether one more fits.
    pub fn has_room(&self) -> bool {
        self.slab.has_room()
    }

    /// The product.
    #[inline]
    pub fn get(&self, sku: &str) -> Option<&Product> {
        self.slab.get(sku.as_bytes())
    }

    /// Asks memory for where the search for a product begins.
    #[inline]
    pub fn prefetch(&self, sku: &[u8]) {
        self.slab.prefetch_index(sku);
    }

    /// Asks memory for a product: what was asked before should be there by now.
    #[inline]
    pub fn prefetch_value(&self, sku: &[u8]) {
        self.slab.prefetch_value(sku);
    }

    /// The product's stock, for changes.
    #[inline]
    pub fn stock(&mut self, sku: &str) -> Option<&mut Counter> {
        let place = self.slab.find(sku.as_bytes())?;
        Some(&mut self.slab[place].stock)
    }

    /// All products in SKU order.
    pub fn iter(&self) -> impl Iterator<Item = &Product> + '_ {
        self.in_order.values().map(|&place| &self.slab[place])
    }

    /// Products after a SKU, in SKU order.
    pub fn after<'a>(&'a self, sku: &str) -> impl Iterator<Item = &'a Product> + use<'a> {
        use core::ops::Bound;
        // Everything fits in a SKU's length, so a longer bound is not a SKU: start at the front.
        let from = Sku::copy(sku).filter(|sku| !sku.as_str().is_empty());
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        self.in_order.range((from, Bound::Unbounded)).map(|(_, &place)| &self.slab[place])
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.slab.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(crate) fn put(
        &mut self,
        description: Description<'_>,
        now_ms: UnixMs,
    ) -> Result<(), ApplyError> {
        let Description { sku, name, price, attributes, attributes_version } = description;
        assert!(name.len() <= NAME_BYTES_MAX, "checked by ingest");
        if let Some(place) = self.slab.find(sku.as_bytes()) {
            let product = &mut self.slab[place];
            product.name = name.into();
            product.attributes = attributes.into();
            product.attributes_version = attributes_version;
            product.version += 1;
            product.set_price(price, now_ms);
            return Ok(());
        }
        let sku = Sku::copy(sku).ok_or(ApplyError::contradiction("a SKU is too long"))?;
        let mut product = Product {
            sku,
            price,
            stock: Counter::default(),
            version: 1,
            name: name.into(),
            attributes: attributes.into(),
            attributes_version,
            price_history: Vec::new(),
        };
        product.set_price(price, now_ms);
        self.add(product)
    }

    pub(crate) fn change_price(&mut self, sku: &str, point: PricePoint) -> Result<(), ApplyError> {
        let product = self.product(sku)?;
        product.version += 1;
        product.set_price(point.price, point.since_ms);
        Ok(())
    }

    pub(crate) fn move_stock(&mut self, sku: &str, delta: i64) -> Result<(), ApplyError> {
        let product = self.product(sku)?;
        product.version += 1;
        let units = delta.unsigned_abs();
        if delta > 0 {
            product.stock.receive(units);
            return Ok(());
        }
        let removed = product.stock.remove(units);
        removed.map_err(|_short| ApplyError::contradiction("stock would be negative"))
    }

    fn product(&mut self, sku: &str) -> Result<&mut Product, ApplyError> {
        let place = self.slab.find(sku.as_bytes());
        let place = place.ok_or(ApplyError::contradiction("the product does not exist"))?;
        Ok(&mut self.slab[place])
    }

    fn add(&mut self, product: Product) -> Result<(), ApplyError> {
        let sku = product.sku;
        let place =
            self.slab.insert(product).ok_or(ApplyError::CapacityFull { slab: "products" })?;
        self.in_order.insert(sku, place);
        Ok(())
    }

    pub(crate) fn restore(&mut self, r: &mut Reader<'_>) -> Result<(), ApplyError> {
        for _ in 0..r.u32()? {
            let product = read(r)?;
            if self.slab.find(product.sku.as_bytes()).is_some() {
                return Err(ApplyError::contradiction("a product comes twice"));
            }
            self.add(product)?;
        }
        Ok(())
    }
}

/// What a source says of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    pub(crate) sku: &'a str,
    pub(crate) name: &'a str,
    pub(crate) price: Money,
    pub(crate) attributes: &'a str,
    pub(crate) attributes_version: u16,
}

impl Encode for Product {
    fn encode(&self, w: &mut Writer<'_>) {
        w.text(self.sku.as_str());
        self.stock.encode(w);
        w.u64(self.version);
        w.text(&self.name);
        w.large(self.attributes.as_bytes());
        w.u16(self.attributes_version);
        w.u16(u16::try_from(self.price_history.len()).expect("bounded"));
        for point in &self.price_history {
            w.u64(point.since_ms);
            point.price.encode(w);
        }
    }
}

fn read(r: &mut Reader<'_>) -> Result<Product, CodecError> {
    let sku = Sku::copy(r.text()?).ok_or_else(|| r.invalid("sku"))?;
    let (stock, version) = (Counter::read(r)?, r.u64()?);
    let (name, attributes) = (r.text()?.into(), large_text(r)?.into());
    let attributes_version = r.u16()?;
    let count = usize::from(r.u16()?);
    if count > PRICE_HISTORY_MAX {
        return Err(r.invalid("price history"));
    }
    let mut price_history = Vec::with_capacity(count);
    for _ in 0..count {
        price_history.push(PricePoint { since_ms: r.u64()?, price: Money::decode(r)? });
    }
    let price = price_history.last().map(|last: &PricePoint| last.price);
    let price = price.ok_or_else(|| r.invalid("price"))?;
    Ok(Product { price_history, sku, attributes_version, price, stock, version, name, attributes })
}
