//! A scenario: the products, the crowd and its habits, ready to draw from.
//!
//! Owns what a run is about: stock and prices, how picks spread over products (a hot share, then
//! Zipf over the rest), and behaviours with their weights. Finds a scenario by name or path: the
//! store's `scenarios/NAME.toml` first, because its owner may have changed it, then the text that
//! ships with the command. Every draw takes the caller's generator, so one seed gives one crowd.
//! Does not act: see [`super::user`].

mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Zipf};

pub use file::duration_of;

use super::scenarios;

/// Products one scenario may make. Setting up is two requests each; more is a catalogue import.
pub const PRODUCTS_MAX: usize = 20_000;

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A member has a value that means nothing.
    #[error("{file}:{line}: {what}; allowed: {allowed}")]
    Invalid { file: String, line: usize, what: String, allowed: String },
    /// The file is there and cannot be read.
    #[error("cannot read scenario {path}; check its permissions", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// Not TOML, or a member nobody knows.
    #[error("{file}:{line}: {message}")]
    Syntax { file: String, line: usize, message: String },
    /// No such name.
    #[error("no scenario {name}: give a path, or one of {known}")]
    Unknown { name: String, known: String },
}

/// A closed range of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// Smallest value drawn.
    pub least: u32,
    /// Largest value drawn; never below `least`.
    pub most: u32,
}

impl Between {
    /// One value, every one as likely.
    pub fn draw(self, rng: &mut impl Rng) -> u32 {
        rng.random_range(self.least..=self.most)
    }
}

/// Something to sell.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its SKU.
    pub sku: String,
    /// Its name.
    pub name: String,
    /// Minor units and currency.
    pub price: (u64, String),
    /// Units that must be available when shoppers come.
    pub stock: u64,
}

/// A coupon.
#[derive(Clone, Debug)]
pub struct Coupon {
    /// What a shopper types.
    pub code: String,
    /// `percent` or `amount`.
    pub kind: String,
    /// Hundredths of a percent, or minor units.
    pub value: u64,
    /// How often it may be used, by everybody together.
    pub uses_max: u64,
    /// Of an `amount`.
    pub currency: Option<String>,
}

/// How a hold ends; what is left of 1 is abandoned.
#[derive(Clone, Copy, Debug)]
pub struct HoldEnd {
    /// Share that is bought.
    pub checkout: f64,
    /// Share that is given back.
    pub release: f64,
}

/// What a retry storm repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StormTarget {
    /// `POST /v1/checkouts` with items.
    Checkouts,
    /// `POST /v1/holds`.
    Holds,
}

/// What `--endpoint` hammers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HammerTarget {
    /// `POST /v1/carts`.
    Carts,
    /// `POST /v1/checkouts` with items.
    Checkouts,
    /// `GET /v1/health`, unsigned.
    Health,
    /// `POST /v1/holds`, left to expire.
    Holds,
    /// `GET /v1/products/{sku}`.
    Products,
}

impl HammerTarget {
    /// Every target by the text that names it.
    pub const ALL: [(&str, Self); 5] = [
        ("GET /v1/health", Self::Health),
        ("GET /v1/products/{sku}", Self::Products),
        ("POST /v1/carts", Self::Carts),
        ("POST /v1/checkouts", Self::Checkouts),
        ("POST /v1/holds", Self::Holds),
    ];
}

/// A way to shop.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Holds of one hot product, one after the other as fast as answers come, never bought.
    Bot { tries: Between },
    /// Look at products.
    Browse { views: Between },
    /// Fill a cart, then buy it or leave it.
    Cart { checkout: f64 },
    /// Buy items at once, without a hold.
    Checkout,
    /// One endpoint, again and again, without thinking.
    Hammer { target: HammerTarget },
    /// Hold stock, then buy, release or abandon.
    Hold { end: HoldEnd },
    /// One command, resent with its key: every answer must be the first one.
    RetryStorm { of: StormTarget, resends: Between, reconnect_share: f64 },
}

/// A way to shop with its weight and numbers.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// Which.
    pub kind: Kind,
    /// How often, in relation to the others.
    pub weight: u32,
    /// Pause between two requests, milliseconds.
    pub think_ms: Between,
    /// Lines of a hold, cart or checkout.
    pub lines: Between,
    /// Units of a line.
    pub quantity: Between,
    /// Life of a hold; the node's own when absent.
    pub ttl_ms: Option<u64>,
    /// Index of the coupon it uses.
    pub coupon: Option<usize>,
    /// Share of checkouts with that coupon.
    pub coupon_share: f64,
}

/// Everything a run is about.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// One line for the report.
    pub about: String,
    /// Shoppers when the command line names no number.
    pub users: u32,
    /// Length when the command line names none.
    pub duration: Duration,
    /// Hot ones first.
    pub products: Vec<Product>,
    /// How many of `products` are hot.
    pub hot_count: usize,
    /// Share of picks that go to the hot ones.
    pub hot_share: f64,
    /// Spread of the other picks.
    pub zipf_exponent: f64,
    /// Coupons.
    pub coupons: Vec<Coupon>,
    /// Ways to shop; the sum of weights is above 0.
    pub behaviours: Vec<Behaviour>,
    /// The gateway's token that orders are paid with; empty where the store takes no payments.
    pub payment: String,
}

impl Scenario {
    /// Parses `text`; `file` names it in messages.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ScenarioError> {
        file::parse(name, file, text)
    }

    /// Finds `name`: a path, a scenario of the store, or one that ships with the command.
    pub fn find(store: &Path, name: &str) -> Result<Self, ScenarioError> {
        let in_store = store.join("scenarios").join(format!("{name}.toml"));
        let as_path = Path::new(name);
        let is_toml = as_path.extension().is_some_and(|extension| extension == "toml");
        let path = if is_toml || name.contains('/') { as_path.to_owned() } else { in_store };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
                Self::parse(stem, &path.display().to_string(), &text)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                match scenarios::text(name) {
                    Some(text) => Self::parse(name, &format!("{name}.toml (built in)"), text),
                    None => Err(Self::unknown(store, name)),
                }
            }
            Err(source) => Err(ScenarioError::Read { path, source }),
        }
    }

    fn unknown(store: &Path, name: &str) -> ScenarioError {
        let mut known: Vec<String> =
            scenarios::ALL.iter().map(|(shipped, _)| (*shipped).to_owned()).collect();
        let folder = std::fs::read_dir(store.join("scenarios"));
        for entry in folder.into_iter().flatten().flatten() {
            if let Some(stem) = entry.path().file_stem().and_then(|stem| stem.to_str()) {
                known.push(stem.to_owned());
            }
        }
        known.sort();
        known.dedup();
        ScenarioError::Unknown { name: name.to_owned(), known: known.join(", ") }
    }

    /// The same products with one behaviour: `target` without thinking.
    #[must_use]
    pub fn hammering(mut self, target: HammerTarget) -> Self {
        let holds = self.behaviours.iter().find(|found| matches!(found.kind, Kind::Hold { .. }));
        // Holds that nobody ends must expire soon, or the node's table of live holds is what is
        // measured.
        let ttl_ms = holds.and_then(|found| found.ttl_ms).or(Some(1000));
        self.behaviours = vec![Behaviour {
            kind: Kind::Hammer { target },
            weight: 1,
            think_ms: Between { least: 0, most: 0 },
            lines: Between { least: 1, most: 1 },
            quantity: Between { least: 1, most: 1 },
            ttl_ms,
            coupon: None,
            coupon_share: 0.0,
        }];
        self
    }
}

/// Draws from a scenario; made once per run.
#[derive(Clone, Debug)]
pub struct Chooser {
    hot_count: u32,
    hot_share: f64,
    rest: Option<Zipf<f64>>,
    weights: Vec<u32>,
}

impl Chooser {
    /// Prepares the draws.
    pub fn new(scenario: &Scenario) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let rest_count = count(scenario.products.len() - scenario.hot_count);
        let mut sum = 0;
        let weights = scenario
            .behaviours
            .iter()
            .map(|behaviour| {
                sum += behaviour.weight;
                sum
            })
            .collect();
        Self {
            hot_count: count(scenario.hot_count),
            hot_share: scenario.hot_share,
            rest: Zipf::new(f64::from(rest_count), scenario.zipf_exponent).ok(),
            weights,
        }
    }

    /// Index of a behaviour.
    pub fn behaviour(&self, rng: &mut impl Rng) -> usize {
        let sum = self.weights.last().copied().unwrap_or(0);
        assert!(sum > 0, "a scenario has a behaviour with weight");
        let ticket = rng.random_range(0..sum);
        self.weights.partition_point(|&upto| upto <= ticket)
    }

    /// Index of a product, as popular as the scenario says.
    pub fn product(&self, rng: &mut impl Rng) -> u32 {
        match &self.rest {
            Some(rest) if self.hot_count == 0 || rng.random::<f64>() >= self.hot_share => {
                self.hot_count + rank(rest.sample(rng))
            }
            _ => self.hot_product(rng),
        }
    }

    /// Index of a hot product, or the first one when none is hot.
    pub fn hot_product(&self, rng: &mut impl Rng) -> u32 {
        rng.random_range(0..self.hot_count.max(1))
    }
}

/// Zipf counts ranks from 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a Zipf sample is a whole number from 1 to a u32"
)]
fn rank(sample: f64) -> u32 {
    sample as u32 - 1
}
