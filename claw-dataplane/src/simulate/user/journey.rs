//! Forwards: which journey, which request, which draw.
//!
//! Owns the transition function and everything that leads to the next request. What an answer
//! means is in `answers.rs`.

use std::time::Duration;

use claw_common::id::Id;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::super::ledger::{Line, Lines};
use super::super::scenario::{Behaviour, Chooser, HammerTarget, Kind, StormTarget};
use super::{Action, Crowd, Event, Manner, Operation, Request, Source, Stage, User};

impl User {
    /// Shopper `number` of a run with `seed`.
    pub fn new(seed: u64, number: u32) -> Self {
        let mut mixed = seed ^ (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self {
            number,
            rng: SmallRng::seed_from_u64(mixed),
            behaviour: 0,
            stage: Stage::Start,
            lines: Lines::default(),
            coupon: None,
            request: Request { operation: Operation::Health, key: None, manner: Manner::Kept },
            attempts: 0,
            resend: false,
            in_flight: false,
            unheard: false,
            storming: false,
        }
    }

    /// Its number, from 0.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The request that [`Action::Send`] means.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// How long after the start of the run it comes.
    pub fn arrival(&mut self, crowd: &Crowd<'_>) -> Duration {
        let index = crowd.chooser.behaviour(&mut self.rng);
        let most_ms = u64::from(crowd.scenario.behaviours[index].think_ms.most);
        Duration::from_millis(self.rng.random_range(0..=most_ms))
    }

    /// The one transition: what happened, what to do now.
    pub fn advance(&mut self, crowd: &mut Crowd<'_>, event: Event<'_>) -> Action {
        self.in_flight = false;
        let action = match event {
            Event::Ready if self.resend => self.send_again(),
            Event::Ready => self.send_next(crowd),
            Event::Cut => self.after_cut(),
            Event::Lost => self.after_loss(crowd),
            Event::Answered(answer) if matches!(answer.status, 429 | 503) => {
                self.after_refusal(crowd, answer)
            }
            Event::Answered(answer) => {
                self.attempts = 0;
                self.after_answer(crowd, answer)
            }
        };
        self.in_flight = action == Action::Send;
        action
    }

    /// The run is over: an order that may have been made and was not told is a doubt.
    pub fn close(&mut self, crowd: &mut Crowd<'_>) {
        self.note_doubt(crowd);
        self.stage = Stage::Start;
        self.in_flight = false;
        self.unheard = false;
    }

    fn send_again(&mut self) -> Action {
        self.resend = false;
        Action::Send
    }

    /// Makes the request of this stage.
    fn send_next(&mut self, crowd: &Crowd<'_>) -> Action {
        if matches!(self.stage, Stage::Start) {
            self.start_journey(crowd);
        }
        if let Stage::Storm { left, .. } = self.stage
            && self.storming
        {
            self.request.manner = self.storm_manner(crowd, left);
            return Action::Send;
        }
        let operation = self.operation(crowd);
        let entropy = self.rng.random::<u128>() ^ crowd.run_nonce;
        self.request = Request {
            key: operation.is_command().then(|| version_4(entropy)),
            operation,
            manner: Manner::Kept,
        };
        if let Stage::Storm { left, .. } = self.stage {
            self.storming = true;
            self.request.manner = self.storm_manner(crowd, left);
        }
        Action::Send
    }

    fn operation(&mut self, crowd: &Crowd<'_>) -> Operation {
        let behaviour = &crowd.scenario.behaviours[self.behaviour];
        let hold = Operation::Hold { lines: self.lines, ttl_ms: behaviour.ttl_ms };
        let items =
            Operation::Checkout { source: Source::Items, lines: self.lines, coupon: self.coupon };
        match self.stage {
            Stage::View { .. } | Stage::Start => {
                Operation::ViewProduct { product: crowd.chooser.product(&mut self.rng) }
            }
            Stage::Hold | Stage::Grab { .. } => hold,
            Stage::Release { hold } => Operation::Release { hold },
            Stage::Checkout { source } => {
                Operation::Checkout { source, lines: self.lines, coupon: self.coupon }
            }
            Stage::Watch { order, .. } => Operation::ViewOrder { order },
            Stage::OpenCart => Operation::OpenCart,
            Stage::Fill { cart, index } => {
                let line = self.lines.iter().nth(index).copied().unwrap_or_default();
                Operation::FillCart { cart, line }
            }
            Stage::Storm { of, .. } => match of {
                StormTarget::Holds => hold,
                StormTarget::Checkouts => items,
            },
            Stage::Hammer { target } => match target {
                HammerTarget::Carts => Operation::OpenCart,
                HammerTarget::Checkouts => items,
                HammerTarget::Health => Operation::Health,
                HammerTarget::Holds => hold,
                HammerTarget::Products => {
                    Operation::ViewProduct { product: crowd.chooser.product(&mut self.rng) }
                }
            },
        }
    }

    fn start_journey(&mut self, crowd: &Crowd<'_>) {
        self.behaviour = crowd.chooser.behaviour(&mut self.rng);
        self.storming = false;
        let behaviour = &crowd.scenario.behaviours[self.behaviour];
        self.lines = self.draw_lines(crowd.chooser, behaviour);
        self.coupon =
            behaviour.coupon.filter(|_| self.rng.random::<f64>() < behaviour.coupon_share);
        self.stage = match behaviour.kind {
            Kind::Browse { views } => Stage::View { left: views.draw(&mut self.rng) },
            Kind::Hold { .. } => Stage::Hold,
            Kind::Bot { tries } => Stage::Grab { left: tries.draw(&mut self.rng) },
            Kind::Cart { .. } => Stage::OpenCart,
            Kind::Checkout => Stage::Checkout { source: Source::Items },
            Kind::RetryStorm { of, resends, .. } => {
                Stage::Storm { of, left: resends.draw(&mut self.rng), first: None, seen: None }
            }
            Kind::Hammer { target } => Stage::Hammer { target },
        };
    }

    fn draw_lines(&mut self, chooser: &Chooser, behaviour: &Behaviour) -> Lines {
        let mut lines = Lines::default();
        for _ in 0..behaviour.lines.draw(&mut self.rng) {
            let product = match behaviour.kind {
                Kind::Bot { .. } => chooser.hot_product(&mut self.rng),
                _ => chooser.product(&mut self.rng),
            };
            lines.push(Line { product, quantity: behaviour.quantity.draw(&mut self.rng) });
        }
        lines
    }

    /// The last answer of a storm is always read, or its order would be in doubt for nothing.
    fn storm_manner(&mut self, crowd: &Crowd<'_>, left: u32) -> Manner {
        let Kind::RetryStorm { reconnect_share, .. } =
            crowd.scenario.behaviours[self.behaviour].kind
        else {
            return Manner::Kept;
        };
        if self.rng.random::<f64>() >= reconnect_share {
            Manner::Kept
        } else if left > 0 && self.rng.random::<bool>() {
            Manner::Unread
        } else {
            Manner::Fresh
        }
    }
}

/// A random UUID.
fn version_4(entropy: u128) -> Id {
    let mut bytes = entropy.to_le_bytes();
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Id(bytes)
}
