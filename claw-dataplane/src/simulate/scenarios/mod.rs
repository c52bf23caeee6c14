//! The scenario texts that come with the claw command.
//!
//! `claw init` writes them into a store, where their owner may change them; `claw simulate` falls
//! back to them when the store has none of that name. Does not parse: see `super::scenario`.

/// Name (without `.toml`) and text of every scenario that we ship.
pub const ALL: &[(&str, &str)] = &[
    ("browse", include_str!("browse.toml")),
    ("drop", include_str!("drop.toml")),
    ("retail", include_str!("retail.toml")),
    ("smoke", include_str!("smoke.toml")),
];

/// The text of one shipped scenario.
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
