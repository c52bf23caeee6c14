//! What the vault knows of each order: what was begun, what it is called, what came of it.
//!
//! Made of the journal's records and of nothing else, so a start knows what the last run knew.
//! Owns the records' bytes. Deliberately keeps no client secret, and of the means of payment only
//! the gateway's token, which an authorisation whose result nobody knows is asked again with.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};
use claw_common::id::{Id, ShardId};
use claw_common::money::Currency;
use claw_common::time::UnixMs;
use claw_core::codec::{CodecError, Decode as _, Reader, Writer};
use claw_core::payment::{Ask, PaymentStep, Verdict};

use super::journal::PAYLOAD_BYTES_MAX;

const BEGUN: u8 = 1;
const KNOWN: u8 = 2;
const ENDED: u8 = 3;
const EVENT: u8 = 4;

/// A question that owns its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Order.
    pub order: Id,
    /// Its home.
    pub shard: ShardId,
    /// What to do.
    pub step: PaymentStep,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// Token; empty but for `Authorize`.
    pub token: String,
    /// The gateway's name for the payment, where the node knows it.
    pub intent: String,
}

impl From<&Ask<'_>> for Question {
    fn from(ask: &Ask<'_>) -> Self {
        Self {
            order: ask.order,
            shard: ask.shard,
            step: ask.step,
            amount: ask.amount,
            currency: ask.currency,
            token: ask.token.to_owned(),
            intent: ask.intent.to_owned(),
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Done.
    Done {
        /// The gateway's name for the payment; empty where there never was one.
        intent: String,
    },
    /// The shopper has to act.
    RequiresAction {
        /// The gateway's name for the payment.
        intent: String,
        /// What the shopper's browser shows the gateway.
        client_secret: String,
    },
    /// No, for good.
    Refused {
        /// Why.
        code: String,
    },
    /// Nobody knows.
    Unavailable {
        /// What stands in the way.
        code: String,
    },
}

impl Said {
    /// As the node is told.
    pub fn verdict(&self) -> Verdict<'_> {
        match self {
            Self::Done { intent } => Verdict::Done { intent: clip(intent) },
            Self::RequiresAction { intent, client_secret } => {
                Verdict::RequiresAction { intent: clip(intent), client_secret: clip(client_secret) }
            }
            Self::Refused { code } => Verdict::Refused { code: clip(code) },
            Self::Unavailable { code } => Verdict::Unavailable { code: clip(code) },
        }
    }

    /// Whether asking again gives the same.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Refused { .. })
    }
}

/// What a text of a payment may hold.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(claw_common::limits::PAYMENT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// An order's step: when it was begun, and what came of it.
#[derive(Clone, Debug, Default)]
struct StepBook {
    begun_ms: Option<UnixMs>,
    said: Option<Said>,
}

/// An order.
#[derive(Clone, Debug)]
#[expect(clippy::partial_pub_fields, reason = "the steps are asked for by name")]
pub struct OrderBook {
    /// Its home.
    pub shard: ShardId,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// The token it was to be authorised with.
    pub token: String,
    /// The gateway's name for its payment; empty while it is not known.
    pub intent: String,
    steps: [StepBook; PaymentStep::ALL.len()],
}

impl OrderBook {
    /// When a step was first begun.
    pub fn begun_ms(&self, step: PaymentStep) -> Option<UnixMs> {
        self.steps[index(step)].begun_ms
    }

    /// What came of a step, where that is final.
    pub fn said(&self, step: PaymentStep) -> Option<&Said> {
        self.steps[index(step)].said.as_ref()
    }
}

const fn index(step: PaymentStep) -> usize {
    step as usize - 1
}

/// See the module.
#[derive(Debug, Default)]
pub struct Book {
    orders: HashMap<Id, OrderBook>,
    events: HashSet<String>,
}

impl Book {
    /// What is known of an order.
    pub fn order(&self, order: Id) -> Option<&OrderBook> {
        self.orders.get(&order)
    }

    /// How many orders are known.
    pub fn orders_count(&self) -> usize {
        self.orders.len()
    }

    /// Whether a webhook's event was taken before.
    pub fn knows_event(&self, id: &str) -> bool {
        self.events.contains(id)
    }

    /// Takes a record of the journal in.
    pub fn take(&mut self, payload: &[u8]) -> Result<()> {
        self.read(payload).context("a record of the journal cannot be read: upgrade the vault")
    }

    fn read(&mut self, payload: &[u8]) -> Result<(), CodecError> {
        let mut r = Reader::new(payload);
        match r.u8()? {
            BEGUN => {
                let (order, shard, step) =
                    (r.id()?, ShardId(r.u16()?), PaymentStep::decode(&mut r)?);
                let (amount, currency, begun_ms) = (r.i64()?, r.currency()?, r.u64()?);
                let token = r.text()?;
                let book = self.orders.entry(order).or_insert_with(|| OrderBook {
                    shard,
                    amount,
                    currency,
                    token: String::new(),
                    intent: String::new(),
                    steps: Default::default(),
                });
                if !token.is_empty() {
                    token.clone_into(&mut book.token);
                }
                book.steps[index(step)].begun_ms.get_or_insert(begun_ms);
            }
            KNOWN => {
                let (order, intent) = (r.id()?, r.text()?);
                if let Some(book) = self.orders.get_mut(&order) {
                    intent.clone_into(&mut book.intent);
                }
            }
            ENDED => {
                let (order, step) = (r.id()?, PaymentStep::decode(&mut r)?);
                let said = match Verdict::decode(&mut r)? {
                    Verdict::Done { intent } => Said::Done { intent: intent.to_owned() },
                    Verdict::Refused { code } => Said::Refused { code: code.to_owned() },
                    _ => return Err(r.invalid("verdict")),
                };
                if let Some(book) = self.orders.get_mut(&order) {
                    book.steps[index(step)].said = Some(said);
                }
            }
            EVENT => {
                self.events.insert(r.text()?.to_owned());
            }
            _ => return Err(r.invalid("record")),
        }
        r.finish()
    }
}

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; PAYLOAD_BYTES_MAX];
    let mut writer = Writer::new(&mut bytes);
    write(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    bytes
}

/// The record that a step is about to be asked of the gateway.
pub fn begun(question: &Question, now_ms: UnixMs) -> Vec<u8> {
    record(|w| {
        w.u8(BEGUN);
        w.id(question.order);
        w.u16(question.shard.0);
        w.u8(question.step as u8);
        w.i64(question.amount);
        w.currency(question.currency);
        w.u64(now_ms);
        w.text(&question.token);
    })
}

/// The record of the gateway's name for an order's payment.
pub fn known(order: Id, intent: &str) -> Vec<u8> {
    record(|w| {
        w.u8(KNOWN);
        w.id(order);
        w.text(clip(intent));
    })
}

/// The record of what came of a step.
pub fn ended(order: Id, step: PaymentStep, said: &Said) -> Vec<u8> {
    assert!(said.is_final(), "what may change is not remembered");
    record(|w| {
        w.u8(ENDED);
        w.id(order);
        w.u8(step as u8);
        claw_core::codec::Encode::encode(&said.verdict(), w);
    })
}

/// The record that a webhook's event was taken.
pub fn event(id: &str) -> Vec<u8> {
    record(|w| {
        w.u8(EVENT);
        w.text(clip(id));
    })
}
