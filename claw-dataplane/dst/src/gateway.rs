//! The vault and its gateway, as the shards see them: what is asked is done once, whatever the
//! answer does.
//!
//! It outlives the node. It declines, says that nobody knows (having done it, or not), has the
//! shopper act first, loses answers, and answers late: the order and step of a question name one
//! thing to be done, as the real vault's book does it.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_core::payment::{Ask, PaymentStep, Verdict};

use crate::options::{Canary, Options};
use crate::random::Random;

/// What the gateway's ledger says of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) amount: i64,
    pub(crate) held: bool,
    pub(crate) captured: bool,
    pub(crate) refunded: bool,
    declined: bool,
    voided: bool,
    capture_refused: bool,
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    Done,
    Refused,
    Unavailable,
    MustAct,
    /// The answer is lost: the link asks again.
    Nothing,
}

impl Said {
    pub(crate) const fn verdict(self) -> Option<Verdict<'static>> {
        Some(match self {
            Self::Done => Verdict::Done { intent: "pi_1" },
            Self::Refused => Verdict::Refused { code: "card_declined" },
            Self::Unavailable => Verdict::Unavailable { code: "timeout" },
            Self::MustAct => Verdict::RequiresAction { intent: "pi_1", client_secret: "secret" },
            Self::Nothing => return None,
        })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    ledger: BTreeMap<Id, Entry>,
}

impl Gateway {
    /// Every order that was ever asked about.
    pub(crate) fn ledger(&self) -> impl Iterator<Item = (Id, Entry)> + '_ {
        self.ledger.iter().map(|(order, entry)| (*order, *entry))
    }

    /// Performs a question; kindly when the world rests.
    pub(crate) fn ask(
        &mut self,
        ask: &Ask<'_>,
        options: &Options,
        chance: (&mut Random, bool),
    ) -> Said {
        let (random, kind) = chance;
        let draw = |random: &mut Random, permille| !kind && random.chance(permille);
        let entry = self.ledger.entry(ask.order).or_default();
        if draw(random, options.vault_away_permille) {
            return Said::Unavailable;
        }
        let cruel = draw(random, options.vault_decline_permille);
        let said = match ask.step {
            PaymentStep::Authorize if entry.declined || entry.voided => Said::Refused,
            PaymentStep::Authorize if cruel && entry.amount == 0 => {
                entry.declined = true;
                Said::Refused
            }
            PaymentStep::Authorize
                if entry.amount == 0 && draw(random, options.vault_act_permille) =>
            {
                return Said::MustAct;
            }
            PaymentStep::Authorize => {
                let held = !entry.captured;
                *entry = Entry { held, amount: ask.amount, ..*entry };
                Said::Done
            }
            PaymentStep::Capture if entry.capture_refused => Said::Refused,
            PaymentStep::Capture if cruel && !entry.captured => {
                entry.capture_refused = true;
                Said::Refused
            }
            PaymentStep::Capture => {
                assert!(entry.captured || entry.held, "what is captured was authorised");
                assert_eq!(entry.amount, ask.amount, "no more is captured than was authorised");
                *entry = Entry { held: false, captured: true, ..*entry };
                Said::Done
            }
            PaymentStep::Void if options.makes(Canary::LostVoid) => Said::Done,
            PaymentStep::Void => {
                assert!(!entry.captured, "what was captured is refunded");
                *entry = Entry { held: false, voided: true, ..*entry };
                Said::Done
            }
            PaymentStep::Refund => {
                assert!(entry.captured, "only what was captured is refunded");
                entry.refunded = true;
                Said::Done
            }
        };
        if draw(random, options.vault_lose_permille) {
            return if random.chance(500) { Said::Nothing } else { Said::Unavailable };
        }
        said
    }
}
