//! The state as canonical bytes: for snapshots, and for the hash that proves replay equals live.
//!
//! Every table in the order of its keys, every eviction queue in its own order, remembered answers
//! while they are young: so equal states give equal bytes, whatever slots and orders of insertion
//! they had.

use std::collections::BTreeSet;

use claw_common::limits::ANSWER_BYTES_MAX;

use super::{Key, State};
use crate::cart::Cart;
use crate::checkout::order::Order;
use crate::codec::{CodecError, Encode, Reader, Writer};
use crate::command::{CommandKey, flag};
use crate::coupon::Coupon;
use crate::inventory::hold::Hold;
use crate::inventory::member::Member;
use crate::outcome::HoldState;
use crate::shard::error::{ApplyError, RestoreError};
use crate::stdx::{Keyed, KeyedSlab};

/// Larger than any one value: a product with attributes of a whole request body.
const VALUE_BYTES_MAX: usize = 128 * 1024;
/// 2: how many subjects were forgotten, and which records made holds and orders. 3: the version of
/// a product's attributes. 4: an order's saga and payment. 5: how long a hold that waits will live.
/// A snapshot of another version is rebuilt from the log, since it cannot say that.
const VERSION: u16 = 5;

/// Hands encoded values on, one at a time.
struct Sink<'a> {
    scratch: Vec<u8>,
    write: &'a mut dyn FnMut(&[u8]),
}

impl Sink<'_> {
    fn put(&mut self, encode: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = Writer::new(&mut self.scratch);
        encode(&mut writer);
        let written = writer.written();
        (self.write)(&self.scratch[..written]);
    }

    fn slab<T: Keyed + Encode>(&mut self, slab: &KeyedSlab<T>) {
        let places = slab.sorted();
        self.put(|w| w.u32(slab.len()));
        for &place in &places {
            self.put(|w| slab[place].encode(w));
        }
        let queued: Vec<u32> = slab.queued().collect();
        self.put(|w| w.u32(count(queued.len())));
        for place in queued {
            let rank = places.binary_search_by(|&other| slab[other].key().cmp(slab[place].key()));
            self.put(|w| w.u32(count(rank.expect("the queue is of the slab"))));
        }
    }
}

impl State {
    /// Hands on the canonical bytes.
    pub(crate) fn write(&self, write: &mut dyn FnMut(&[u8])) {
        let mut sink = Sink { scratch: vec![0; VALUE_BYTES_MAX], write };
        sink.put(|w| {
            w.u16(VERSION);
            w.u16(self.placement.shard.0);
            w.u16(self.placement.shards_count);
            w.u64(self.sequence);
            w.u64(self.now_ms);
            w.u64(self.forgotten_count);
            w.u32(self.products.len());
        });
        for product in self.products.iter() {
            sink.put(|w| product.encode(w));
        }
        sink.slab(&self.coupons);
        sink.slab(&self.carts);
        sink.slab(&self.holds);
        sink.slab(&self.orders);
        sink.slab(&self.members);
        sink.put(|w| w.u32(count(self.keys.len())));
        for (number, key) in &self.keys {
            sink.put(|w| {
                w.u32(*number);
                key.encode(w);
            });
        }
        sink.put(|w| w.u32(count(self.commands.len())));
        for (hold, identity) in &self.commands {
            sink.put(|w| {
                w.id(*hold);
                write_identity(w, identity);
            });
        }
        self.write_window(&mut sink);
    }

    fn write_window(&self, sink: &mut Sink<'_>) {
        let deciding = self.window.deciding().count();
        sink.put(|w| w.u32(count(deciding)));
        for identity in self.window.deciding() {
            sink.put(|w| write_identity(w, &identity));
        }
        let young = self.window.young(self.now_ms).count();
        sink.put(|w| w.u64(u64::try_from(young).expect("a count of memory")));
        for entry in self.window.young(self.now_ms) {
            sink.put(|w| {
                write_identity(w, &entry.identity);
                w.u64(entry.at_ms);
                w.blob(entry.answer);
            });
        }
    }

    /// Rebuilds a new state from canonical bytes.
    pub(crate) fn read(mut self, r: &mut Reader<'_>) -> Result<Self, RestoreError> {
        let version = r.u16()?;
        if version != VERSION {
            return Err(RestoreError::VersionUnknown { version });
        }
        let (shard, shards_count) = (r.u16()?, r.u16()?);
        if shard != self.placement.shard.0 || shards_count != self.placement.shards_count {
            return Err(RestoreError::ShardForeign { shard, shards_count });
        }
        self.sequence = r.u64()?;
        self.now_ms = r.milliseconds()?;
        self.forgotten_count = r.u64()?;
        self.products.restore(r)?;
        read_slab(&mut self.coupons, r, Coupon::read, "coupons")?;
        read_slab(&mut self.carts, r, Cart::read, "carts")?;
        read_slab(&mut self.holds, r, Hold::read, "holds")?;
        read_slab(&mut self.orders, r, Order::read, "orders")?;
        read_slab(&mut self.members, r, Member::read, "holds")?;
        for _ in 0..r.u32()? {
            let number = r.u32()?;
            self.keys.insert(number, Key::read(r)?);
        }
        for _ in 0..r.u32()? {
            let hold = r.id()?;
            self.commands.insert(hold, read_identity(r)?);
        }
        self.read_window(r)?;
        self.check_line()?;
        self.set_timers();
        Ok(self)
    }

    fn read_window(&mut self, r: &mut Reader<'_>) -> Result<(), ApplyError> {
        for _ in 0..r.u32()? {
            self.window.begin(&read_identity(r)?);
        }
        for _ in 0..r.u64()? {
            let identity = read_identity(r)?;
            let at_ms = r.milliseconds()?;
            // One of later would make those before it old, and forgotten while being restored.
            if at_ms > self.now_ms {
                return Err(ApplyError::contradiction("an answer is younger than the state"));
            }
            let answer = r.blob()?;
            if answer.len() > ANSWER_BYTES_MAX {
                return Err(ApplyError::contradiction("an answer is longer than answers are"));
            }
            if !self.window.remember(&identity, at_ms, answer) {
                return Err(ApplyError::CapacityFull { slab: "remembered answers" });
            }
        }
        Ok(())
    }

    /// Whoever waits in line stands there by the record of their hold, so none may share it.
    fn check_line(&self) -> Result<(), ApplyError> {
        let waiting = self.holds.iter().filter(|(_, hold)| hold.state == HoldState::Waiting);
        let mut places = BTreeSet::new();
        let mut alone = waiting.map(|(_, hold)| places.insert(hold.claimed_at));
        if alone.all(|alone| alone) {
            Ok(())
        } else {
            Err(ApplyError::contradiction("two stand at one place in line"))
        }
    }

    fn set_timers(&mut self) {
        for (place, hold) in self.holds.iter().filter(|(_, hold)| hold.is_ticking()) {
            self.hold_timers.set(place, hold.expires_at_ms, hold.id);
        }
        let waiting = self.holds.iter().filter(|(_, hold)| hold.state == HoldState::Waiting);
        for place in waiting.map(|(place, _)| place).collect::<Vec<_>>() {
            self.enter_line(place);
        }
        self.waiting.offer_all();
        let orders: Vec<u32> = self.orders.iter().map(|(place, _)| place).collect();
        for place in orders {
            self.set_order_timer(place);
        }
    }
}

fn read_slab<T: Keyed>(
    slab: &mut KeyedSlab<T>,
    r: &mut Reader<'_>,
    read: fn(&mut Reader<'_>) -> Result<T, CodecError>,
    name: &'static str,
) -> Result<(), ApplyError> {
    let mut places = Vec::new();
    for _ in 0..r.u32()? {
        let value = read(r)?;
        if slab.find(value.key()).is_some() {
            return Err(ApplyError::contradiction("a key comes twice"));
        }
        let place = slab.insert(value);
        places.push(place.ok_or(ApplyError::CapacityFull { slab: name })?);
    }
    for _ in 0..r.u32()? {
        let rank = usize::try_from(r.u32()?).expect("usize has 32 bits or more");
        let place = places.get(rank).ok_or(ApplyError::contradiction("a queue names no value"))?;
        slab.queue(*place);
    }
    Ok(())
}

impl Key {
    fn encode(&self, w: &mut Writer<'_>) {
        w.text(&self.name);
        w.text(&self.role);
        w.u16(self.algorithm);
        w.raw(&self.public);
        w.u8(u8::from(self.revoked));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            name: r.text()?.into(),
            role: r.text()?.into(),
            algorithm: r.u16()?,
            public: r.array()?,
            revoked: flag(r)?,
        })
    }
}

fn write_identity(w: &mut Writer<'_>, identity: &CommandKey) {
    w.raw(&identity.key);
    w.raw(&identity.digest);
}

fn read_identity(r: &mut Reader<'_>) -> Result<CommandKey, CodecError> {
    Ok(CommandKey { key: r.array()?, digest: r.array()? })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("slabs are indexed with 32 bits")
}
