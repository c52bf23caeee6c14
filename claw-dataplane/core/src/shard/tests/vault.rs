//! A vault over a gateway in memory: it does what it is asked once, however often and in whatever
//! order it is asked, and answers as its mood has it.

use std::collections::BTreeMap;

use claw_common::id::Id;

use crate::payment::{Ask, PaymentStep, Verdict};

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Done.
    Kind,
    /// Done, and the answer arrives twice.
    Twice,
    /// Refused, where it is not done yet.
    Cruel,
    /// Nothing done, nobody knows.
    Away,
    /// Done, and the answer says that nobody knows.
    Forgetful,
    /// Done, and no answer: the question stays.
    Mute,
    /// The shopper has to act first.
    Careful,
}

/// What the gateway's ledger says of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) amount: i64,
    pub(super) held: bool,
    pub(super) captured: bool,
    pub(super) refunded: bool,
    declined: bool,
    voided: bool,
    capture_refused: bool,
}

/// A verdict that owns its words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    Done,
    Refused,
    Unavailable,
    MustAct,
}

impl Said {
    pub(super) const fn verdict(self) -> Verdict<'static> {
        match self {
            Self::Done => Verdict::Done { intent: "pi_1" },
            Self::Refused => Verdict::Refused { code: "card_declined" },
            Self::Unavailable => Verdict::Unavailable { code: "timeout" },
            Self::MustAct => {
                Verdict::RequiresAction { intent: "pi_1", client_secret: "pi_1_secret_2" }
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Vault {
    pub(super) ledger: BTreeMap<Id, Entry>,
}

impl Vault {
    /// What is said; `None` where nothing is.
    pub(super) fn answer(&mut self, ask: &Ask<'_>, mood: Mood) -> Option<Said> {
        let entry = self.ledger.entry(ask.order).or_default();
        let said = match (ask.step, mood) {
            (_, Mood::Away) => return Some(Said::Unavailable),
            (PaymentStep::Authorize, _) if entry.declined || entry.voided => Said::Refused,
            (PaymentStep::Authorize, Mood::Careful) if !entry.held => return Some(Said::MustAct),
            (PaymentStep::Authorize, Mood::Cruel) if !entry.held => {
                entry.declined = true;
                Said::Refused
            }
            (PaymentStep::Authorize, _) => {
                assert!(!ask.token.is_empty() && ask.amount > 0);
                let held = !entry.captured;
                *entry = Entry { held, amount: ask.amount, ..*entry };
                Said::Done
            }
            (PaymentStep::Capture, _) if entry.capture_refused => Said::Refused,
            (PaymentStep::Capture, Mood::Cruel) if !entry.captured => {
                entry.capture_refused = true;
                Said::Refused
            }
            (PaymentStep::Capture, _) => {
                assert!(entry.captured || entry.held, "what was authorised is captured");
                assert_eq!(entry.amount, ask.amount, "what was authorised is captured, no more");
                *entry = Entry { held: false, captured: true, ..*entry };
                Said::Done
            }
            (PaymentStep::Void, _) => {
                assert!(!entry.captured, "what was captured is refunded");
                *entry = Entry { held: false, voided: true, ..*entry };
                Said::Done
            }
            (PaymentStep::Refund, Mood::Cruel) if !entry.refunded => Said::Refused,
            (PaymentStep::Refund, _) => {
                assert!(entry.captured, "only what was captured is refunded");
                entry.refunded = true;
                Said::Done
            }
        };
        match mood {
            Mood::Mute => None,
            Mood::Forgetful => Some(Said::Unavailable),
            _ => Some(said),
        }
    }
}
