//! The gateway's books: every payment, every key, kept in a file where there is one.
//!
//! A line of the file is what one call changed and what it is answered, together, written before it
//! is answered: a process that is killed finds both again, or neither. Not synced: this gateway
//! survives its own end, not the machine's.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) order_id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) payment_method: String,
    /// As the API names it.
    pub(super) status: String,
    pub(super) client_secret: String,
    /// Why it was declined.
    pub(super) decline_code: Option<String>,
    pub(super) captured: bool,
    pub(super) refunded: bool,
}

impl Intent {
    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        let refusal = self.decline_code.as_ref().map(
            |code| json!({ "type": "card_error", "code": "card_declined", "decline_code": code }),
        );
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": if self.status == "requires_capture" { self.amount } else { 0 },
            "amount_received": if self.captured { self.amount } else { 0 },
            "currency": self.currency,
            "capture_method": "manual",
            "client_secret": self.client_secret,
            "metadata": { "order_id": self.order_id },
            "payment_method": self.payment_method,
            "status": self.status,
            "last_payment_error": refusal,
        })
    }
}

/// A call that was answered: the same key gets the same answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) key: String,
    pub(super) asked: String,
    pub(super) status: u16,
    pub(super) body: Value,
}

/// What one call did.
#[derive(Serialize, Deserialize)]
struct Line {
    intent: Option<Intent>,
    answered: Option<Answered>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    intents: BTreeMap<String, Intent>,
    answered: HashMap<String, Answered>,
    by_order: HashMap<String, Vec<String>>,
    file: Option<File>,
}

impl Ledger {
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let mut ledger = Self::default();
        let Some(path) = path else { return Ok(ledger) };
        let failed = || format!("open {}", path.display());
        if let Ok(file) = File::open(path) {
            for line in BufReader::new(file).lines() {
                // The last line may be torn: its call was not answered.
                let Ok(line) = serde_json::from_str(&line.with_context(failed)?) else { continue };
                ledger.take(line);
            }
        }
        let mut file =
            OpenOptions::new().create(true).append(true).open(path).with_context(failed)?;
        // Ends a torn line, so that the next one is whole.
        file.write_all(b"\n")?;
        ledger.file = Some(file);
        Ok(ledger)
    }

    fn take(&mut self, line: Line) {
        if let Some(intent) = line.intent {
            let ids = self.by_order.entry(intent.order_id.clone()).or_default();
            if !ids.contains(&intent.id) {
                ids.push(intent.id.clone());
            }
            self.intents.insert(intent.id.clone(), intent);
        }
        if let Some(answered) = line.answered {
            self.answered.insert(answered.key.clone(), answered);
        }
    }

    /// Keeps what a call did, whole or not at all.
    pub(super) fn keep(
        &mut self,
        intent: Option<Intent>,
        answered: Option<Answered>,
    ) -> std::io::Result<()> {
        let line = Line { intent, answered };
        if let Some(file) = &mut self.file {
            let mut bytes = serde_json::to_vec(&line)?;
            bytes.push(b'\n');
            file.write_all(&bytes)?;
        }
        self.take(line);
        Ok(())
    }

    pub(super) fn answered(&self, key: &str) -> Option<&Answered> {
        self.answered.get(key)
    }

    pub(super) fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.get(id)
    }

    pub(super) fn of_order<'a>(&'a self, order: &str) -> impl Iterator<Item = &'a Intent> {
        let ids = self.by_order.get(order).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.intents.get(id))
    }

    pub(super) fn next_id(&self) -> String {
        format!("pi_claw_{:08}", self.intents.len() + 1)
    }

    pub(super) fn shown(&self) -> Value {
        let intents: Vec<&Intent> = self.intents.values().collect();
        json!({ "intents": intents })
    }
}
