//! Worlds as a smoke test: seeds hold, mistakes are caught, and nothing is vacuous.

use std::collections::BTreeMap;

use super::{Canary, Options, Overrides, Verdict, run};

/// Enough that every kind of fact happens.
const SEEDS_COUNT: u64 = 30;
/// A mistake that needs more worlds than this to be seen is too rare to count on.
const CANARY_SEEDS_MAX: u64 = 20;

fn world(seed: u64, overrides: Overrides) -> Verdict {
    run(Options::draw(seed, overrides), None)
}

#[track_caller]
fn holds(seed: u64) -> Verdict {
    let verdict = world(seed, Overrides::default());
    let again = verdict.options.command();
    assert_eq!(verdict.violation, None, "{again}\n{}", super::trace::tail().join("\n"));
    verdict
}

#[test]
fn every_invariant_holds_and_every_kind_of_fact_happens() {
    let mut facts = BTreeMap::new();
    let (mut holds_count, mut units_sold) = (0, 0);
    for seed in 1..=SEEDS_COUNT {
        let summary = holds(seed).summary;
        holds_count += summary.holds;
        units_sold += summary.units_sold;
        for (symbol, count) in summary.facts {
            *facts.entry(symbol).or_insert(0) += count;
        }
    }
    for symbol in "><~T#=musfxc!^?\"$".chars() {
        assert!(facts.contains_key(&symbol), "no fact `{symbol}` in {facts:?}");
    }
    assert!(holds_count > 1_000, "{holds_count}");
    assert!(units_sold > 1_000, "{units_sold}");
}

#[test]
fn seeds_that_once_failed_hold() {
    for line in include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#')) {
        let (seed, _why) = line.split_once(' ').unwrap();
        holds(seed.parse().unwrap());
    }
}

#[test]
fn same_seed_gives_the_same_run() {
    for seed in [2, 5, 17] {
        let first = world(seed, Overrides::default());
        assert_eq!(first, world(seed, Overrides::default()));
        assert_ne!(first.summary.fingerprint, 0);
    }
}

#[test]
fn every_deliberate_mistake_is_caught() {
    for canary in Canary::ALL {
        let overrides = Overrides { canary: Some(canary), ..Overrides::default() };
        let caught = (1..=CANARY_SEEDS_MAX).find_map(|seed| world(seed, overrides).violation);
        let violation = caught.unwrap_or_else(|| panic!("{canary} goes unnoticed"));
        assert!(expected(canary).contains(&violation.invariant), "{canary}: {violation}");
    }
}

/// The invariants that may notice a mistake first.
fn expected(canary: Canary) -> &'static [&'static str] {
    match canary {
        Canary::NoFlush | Canary::EarlyReply => &["nothing leaves before it is durable"],
        Canary::LostRelease => &["the books are the acknowledged ones", "nothing is stuck"],
        Canary::DoubleApply | Canary::EarlyReuse => &["recovery succeeds"],
        Canary::ShortReplay => &["replay gives the live state"],
        Canary::FreshKey => &[
            "the books are the acknowledged ones",
            "coupon uses are counted",
            // What was bought a second time is paid a second time.
            "money captured is orders placed",
        ],
        Canary::LostVoid => &["money captured is orders placed"],
        Canary::FrozenExpiry => &["nothing is stuck", "the node comes to rest"],
        Canary::LostMessage | Canary::NoResume => &[
            "nothing is stuck",
            "every command is answered",
            "the books are the acknowledged ones",
        ],
    }
}

#[test]
fn options_say_how_to_run_a_world_again() {
    let overrides =
        Overrides { shards: Some(3), steps: Some(50), canary: Some(Canary::LostRelease) };
    let options = Options::draw(7, overrides);
    assert_eq!((options.shards, options.steps), (3, 50));
    let command = "cargo xtask dst --seed 7 --shards 3 --steps 50 --canary lost-release --trace";
    assert_eq!(options.command(), command);
    assert!(options.to_string().starts_with("seed=7 shards=3 "));
}
