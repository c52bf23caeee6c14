//! One question, performed: what is asked of the gateway, and what its answers mean.
//!
//! | step | asked | unknown result |
//! |---|---|---|
//! | authorize | make it, with its key | the same call for 23 h, then find it, then park |
//! | capture | capture it | the same call, then read it |
//! | void | cancel it; find out first what nobody knows | as authorize |
//! | refund | refund it | the same call; what is refunded already says so |
//!
//! Owns the order of things: the intent is kept before a call, what a payment is called as soon as
//! it is known. Deliberately sleeps nowhere and repeats nothing by itself: when to ask again is the
//! order's saga's.

use claw_common::id::Id;
use claw_common::time::UnixMs;
use claw_core::payment::PaymentStep;

use super::book::{self, Question, Said};
use super::desk::Desk;
use super::gateway::{Charge, Gateway, Intent, Status, Trouble};

/// How long a key is used: gateways forget them after 24 hours.
const KEY_AGE_MS_MAX: u64 = 23 * 3600 * 1000;

/// See the module.
pub struct Teller<'d> {
    /// What is known.
    pub desk: &'d Desk,
    /// Who is asked.
    pub gateway: &'d dyn Gateway,
    /// Now.
    pub now_ms: UnixMs,
}

impl std::fmt::Debug for Teller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}

impl Teller<'_> {
    /// Performs a question.
    pub fn perform(&self, question: &Question) -> Said {
        if let Some(said) = self.desk.said(question.order, question.step) {
            return said;
        }
        match question.step {
            PaymentStep::Authorize => self.authorize(question),
            PaymentStep::Capture => self.capture(question),
            PaymentStep::Void => self.void(question),
            PaymentStep::Refund => self.refund(question),
        }
    }

    fn authorize(&self, question: &Question) -> Said {
        let book = self.desk.order(question.order);
        if book.as_ref().is_some_and(|book| book.begun_ms(PaymentStep::Void).is_some()) {
            return Said::Refused { code: "voided".to_owned() };
        }
        if let Some(intent) = book.map(|book| book.intent).filter(|intent| !intent.is_empty()) {
            return self.gateway.read(&intent).map_or_else(unknown, |intent| authorized(&intent));
        }
        match self.make(question) {
            Ok(Some(intent)) => authorized(&intent),
            Ok(None) => parked(question),
            Err(Trouble::Declined { code } | Trouble::Refused { code }) => Said::Refused { code },
            Err(trouble) => unknown(trouble),
        }
    }

    /// Makes the payment, or finds the one that was made; `None` where a key that is too old leaves
    /// nothing to be found.
    fn make(&self, question: &Question) -> Result<Option<Intent>, Trouble> {
        let begun_ms = self.begin(question);
        let intent = if self.now_ms.saturating_sub(begun_ms) > KEY_AGE_MS_MAX {
            self.gateway.find(question.order)?
        } else {
            let Question { order, amount, currency, .. } = *question;
            let charge = Charge { order, amount, currency, token: &question.token };
            match self.gateway.authorize(&charge, &key(order, PaymentStep::Authorize)) {
                // The gateway knows the key and another body: an earlier version of us sent it.
                Err(Trouble::Unknown { code }) if code == "idempotency_error" => {
                    self.gateway.find(order)?
                }
                made => Some(made?),
            }
        };
        if let Some(intent) = &intent {
            self.desk.keep(&book::known(question.order, &intent.id));
        }
        Ok(intent)
    }

    fn capture(&self, question: &Question) -> Said {
        let intent = match self.intent_of(question) {
            Ok(Some(intent)) => intent,
            Ok(None) => return parked(question),
            Err(trouble) => return unknown(trouble),
        };
        self.begin(question);
        match self.gateway.capture(&intent, &key(question.order, PaymentStep::Capture)) {
            Ok(intent) => captured(&intent, "canceled"),
            Err(Trouble::Declined { code }) => Said::Refused { code },
            // It may have been captured already: what it is says so.
            Err(Trouble::Refused { code }) => {
                self.gateway.read(&intent).map_or_else(unknown, |intent| captured(&intent, &code))
            }
            Err(trouble) => unknown(trouble),
        }
    }

    fn void(&self, question: &Question) -> Said {
        let book = self.desk.order(question.order);
        // From here on no authorisation of this order is made.
        self.begin(question);
        let nothing = || Said::Done { intent: String::new() };
        let known = book.as_ref().map(|book| book.intent.clone()).unwrap_or_default();
        let known = if known.is_empty() { question.intent.clone() } else { known };
        if !known.is_empty() {
            return self.cancel(question.order, &known);
        }
        let Some(book) = book.filter(|book| book.begun_ms(PaymentStep::Authorize).is_some()) else {
            // Nothing was ever asked.
            return nothing();
        };
        if matches!(book.said(PaymentStep::Authorize), Some(Said::Refused { .. })) {
            return nothing();
        }
        // Nobody knows what came of the authorisation: the same call says it.
        let asked = Question {
            step: PaymentStep::Authorize,
            amount: book.amount,
            currency: book.currency,
            token: book.token,
            ..question.clone()
        };
        match self.make(&asked) {
            Ok(Some(intent)) => self.cancel(question.order, &intent.id),
            Ok(None) | Err(Trouble::Declined { .. } | Trouble::Refused { .. }) => nothing(),
            Err(trouble) => unknown(trouble),
        }
    }

    fn cancel(&self, order: Id, intent: &str) -> Said {
        let answer = self.gateway.cancel(intent, &key(order, PaymentStep::Void));
        let intent = match answer {
            Ok(intent) => intent,
            Err(Trouble::Unknown { code }) => return Said::Unavailable { code },
            // It may be canceled already, or never have been more than an attempt.
            Err(Trouble::Declined { .. } | Trouble::Refused { .. }) => {
                match self.gateway.read(intent) {
                    Ok(intent) => intent,
                    Err(trouble) => return unknown(trouble),
                }
            }
        };
        match intent.status {
            Status::Canceled | Status::Declined => Said::Done { intent: intent.id },
            // Taken, whatever was said of the capture: it goes back.
            Status::Captured => {
                let key = format!("{}-refund", key(order, PaymentStep::Void));
                let back = self.gateway.refund(&intent.id, &key);
                back.map_or_else(unknown, |()| Said::Done { intent: intent.id })
            }
            Status::Authorized | Status::RequiresAction | Status::Processing => {
                Said::Unavailable { code: "not_canceled_yet".to_owned() }
            }
        }
    }

    fn refund(&self, question: &Question) -> Said {
        let intent = match self.intent_of(question) {
            Ok(Some(intent)) => intent,
            Ok(None) => return parked(question),
            Err(trouble) => return unknown(trouble),
        };
        self.begin(question);
        match self.gateway.refund(&intent, &key(question.order, PaymentStep::Refund)) {
            Ok(()) => Said::Done { intent },
            Err(Trouble::Declined { code } | Trouble::Refused { code }) => Said::Refused { code },
            Err(trouble) => unknown(trouble),
        }
    }

    /// The gateway's name for an order's payment: ours, the node's, or found by the order's id.
    fn intent_of(&self, question: &Question) -> Result<Option<String>, Trouble> {
        let own = self.desk.order(question.order).map(|book| book.intent).unwrap_or_default();
        for known in [own, question.intent.clone()] {
            if !known.is_empty() {
                return Ok(Some(known));
            }
        }
        Ok(self.gateway.find(question.order)?.map(|intent| intent.id))
    }

    /// Keeps that a step is begun, and says since when.
    fn begin(&self, question: &Question) -> UnixMs {
        let begun = self.desk.order(question.order).and_then(|book| book.begun_ms(question.step));
        begun.unwrap_or_else(|| {
            self.desk.keep(&book::begun(question, self.now_ms));
            self.now_ms
        })
    }
}

/// The gateway's key of a step: it never changes.
fn key(order: Id, step: PaymentStep) -> String {
    format!("claw-{order}-{}", step.name())
}

fn authorized(intent: &Intent) -> Said {
    let id = intent.id.clone();
    match intent.status {
        Status::Authorized | Status::Captured => Said::Done { intent: id },
        Status::RequiresAction => {
            Said::RequiresAction { intent: id, client_secret: intent.client_secret.clone() }
        }
        Status::Declined => Said::Refused { code: intent.code.clone() },
        Status::Canceled => Said::Refused { code: "canceled".to_owned() },
        Status::Processing => Said::Unavailable { code: "processing".to_owned() },
    }
}

fn captured(intent: &Intent, refusal: &str) -> Said {
    match intent.status {
        Status::Captured => Said::Done { intent: intent.id.clone() },
        Status::Processing => Said::Unavailable { code: "processing".to_owned() },
        _ => Said::Refused { code: refusal.to_owned() },
    }
}

fn unknown(trouble: Trouble) -> Said {
    match trouble {
        Trouble::Declined { code } | Trouble::Refused { code } | Trouble::Unknown { code } => {
            Said::Unavailable { code }
        }
    }
}

fn parked(question: &Question) -> Said {
    log::error!(
        "nobody knows what became of `{}` of order {}: look at the gateway",
        question.step.name(),
        question.order
    );
    Said::Unavailable { code: "parked".to_owned() }
}
