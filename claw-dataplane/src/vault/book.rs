//! What the vault knows of each order: what was begun, what it is called, what came of it.
//!
//! Made of the log's records and of nothing else, so a start knows what the last run knew.
//! Owns the records' bytes. Deliberately keeps no client secret, and of the means of payment only
//! the gateway's token, which an authorisation whose result nobody knows is asked again with.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use claw_common::id::{Id, ShardId};
use claw_common::money::Currency;
use claw_common::time::UnixMs;
use claw_core::codec::{CodecError, Decode as _, Reader, Writer};
use claw_core::payment::{Ask, PaymentStep, Verdict};

use super::journal::RECORD_BYTES_MAX;

const BEGUN: u8 = 1;
const KNOWN: u8 = 2;
const ENDED: u8 = 3;
const EVENT: u8 = 4;
/// What is over is kept for this long: gateways forget keys after a day, and webhooks come late.
const KEPT_MS: u64 = 7 * 24 * 3600 * 1000;

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
    /// Whether nothing is under way and nothing was begun lately.
    fn is_old(&self, now_ms: UnixMs) -> bool {
        let steps = || self.steps.iter().filter_map(|step| Some((step.begun_ms?, &step.said)));
        let open = steps().any(|(_, said)| said.is_none());
        let last_ms = steps().map(|(begun_ms, _)| begun_ms).max().unwrap_or(0);
        !open && last_ms.saturating_add(KEPT_MS) < now_ms
    }

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
    events: HashMap<String, UnixMs>,
}

impl Book {
    /// The records of what is not old: what a snapshot holds.
    pub fn records(&self, now_ms: UnixMs) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        for (order, book) in self.orders.iter().filter(|(_, book)| !book.is_old(now_ms)) {
            for step in PaymentStep::ALL {
                let Some(begun_ms) = book.begun_ms(step) else { continue };
                let is_first = step == PaymentStep::Authorize;
                let question = Question {
                    order: *order,
                    shard: book.shard,
                    step,
                    amount: book.amount,
                    currency: book.currency,
                    token: if is_first { book.token.clone() } else { String::new() },
                    intent: String::new(),
                };
                records.push(begun(&question, begun_ms));
                if let Some(said) = book.said(step) {
                    records.push(ended(*order, step, said));
                }
            }
            if !book.intent.is_empty() {
                records.push(known(*order, &book.intent));
            }
        }
        for (id, at_ms) in
            self.events.iter().filter(|(_, at_ms)| at_ms.saturating_add(KEPT_MS) >= now_ms)
        {
            records.push(event(id, *at_ms));
        }
        records
    }

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
        self.events.contains_key(id)
    }

    /// Takes a record of the journal in.
    pub fn take(&mut self, payload: &[u8]) -> Result<()> {
        self.read(payload).context("a record of the vault's log cannot be read: upgrade the vault")
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
                let at_ms = r.u64()?;
                self.events.insert(r.text()?.to_owned(), at_ms);
            }
            _ => return Err(r.invalid("record")),
        }
        r.finish()
    }
}

fn record(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; RECORD_BYTES_MAX];
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
pub fn event(id: &str, now_ms: UnixMs) -> Vec<u8> {
    record(|w| {
        w.u8(EVENT);
        w.u64(now_ms);
        w.text(clip(id));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: UnixMs = 1_800_000_000_000;

    fn question(order: u8, step: PaymentStep) -> Question {
        Question {
            order: Id([order; 16]),
            shard: ShardId(1),
            step,
            amount: 700,
            currency: Currency::parse("EUR").unwrap(),
            token: "pm_1".to_owned(),
            intent: String::new(),
        }
    }

    fn book(records: &[Vec<u8>]) -> Book {
        let mut book = Book::default();
        for record in records {
            book.take(record).unwrap();
        }
        book
    }

    #[test]
    fn what_is_written_anew_knows_the_same_but_for_what_is_long_over() {
        let done = Said::Done { intent: "pi_1".to_owned() };
        let refused = Said::Refused { code: "card_declined".to_owned() };
        let old_ms = NOW_MS - KEPT_MS - 1;
        let (paid, open, gone) = (1, 2, 3);
        let full = book(&[
            begun(&question(paid, PaymentStep::Authorize), old_ms),
            known(Id([paid; 16]), "pi_1"),
            ended(Id([paid; 16]), PaymentStep::Authorize, &done),
            begun(&question(paid, PaymentStep::Capture), NOW_MS),
            ended(Id([paid; 16]), PaymentStep::Capture, &done),
            begun(&question(open, PaymentStep::Authorize), old_ms),
            begun(&question(gone, PaymentStep::Authorize), old_ms),
            ended(Id([gone; 16]), PaymentStep::Authorize, &refused),
            event("evt_old", old_ms),
            event("evt_new", NOW_MS),
        ]);
        let anew = book(&full.records(NOW_MS));
        assert_eq!(anew.orders_count(), 2, "what is long over is forgotten");
        for order in [paid, open] {
            let (before, after) = (full.order(Id([order; 16])), anew.order(Id([order; 16])));
            assert_eq!(format!("{before:?}"), format!("{after:?}"));
        }
        assert!(anew.knows_event("evt_new") && !anew.knows_event("evt_old"));
    }
}
