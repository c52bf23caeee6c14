//! What `claw init` can make: three stores that differ in what they sell and how.
//!
//! A template is data: settings that differ from their defaults, schema files, a page of
//! explanation. Each accepts every request that the public interface describes; what a template
//! requires or narrows beyond that, its own files say. Scenarios come from `simulate`.

/// A kind of store.
#[derive(Debug)]
pub(crate) struct Template {
    /// What `--template` calls it.
    pub(crate) name: &'static str,
    /// One sentence for `store.toml` and README.
    pub(crate) about: &'static str,
    /// Settings and their values in TOML.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Files of `schema/`.
    pub(crate) schema: &'static [(&'static str, &'static str)],
    /// What was chosen and why, for the README.
    pub(crate) choices: &'static str,
    /// Commands that show the choices, for the README; a test runs them as printed.
    pub(crate) examples: &'static str,
    /// The scenario that shows it best.
    pub(crate) scenario: &'static str,
}

/// All templates; the first is the one to recommend.
pub(crate) const ALL: [Template; 3] = [
    Template {
        name: "enterprise-retail",
        about: "A retailer with a long catalogue: variants, bundles, locations, price lists, returns.",
        settings: &[
            ("node.memory", "\"1GiB\""),
            ("holds.ttl_ms_default", "900_000"),
            ("holds.ttl_ms_max", "3_600_000"),
            ("limits.requests_per_second_per_session", "200"),
        ],
        schema: &[
            ("store.toml", include_str!("enterprise-retail/store.toml")),
            ("catalogue.toml", include_str!("enterprise-retail/catalogue.toml")),
            ("orders.toml", include_str!("enterprise-retail/orders.toml")),
        ],
        choices: include_str!("enterprise-retail/choices.md"),
        examples: include_str!("enterprise-retail/examples.md"),
        scenario: "retail",
    },
    Template {
        name: "flash-drop",
        about: "One drop of few products that many want at once: short holds, small baskets.",
        settings: &[
            ("node.memory", "\"1GiB\""),
            ("node.spin_us", "200"),
            ("holds.ttl_ms_default", "120_000"),
            ("holds.ttl_ms_max", "600_000"),
            ("limits.requests_per_second_per_session", "50"),
        ],
        schema: &[("store.toml", include_str!("flash-drop/store.toml"))],
        choices: include_str!("flash-drop/choices.md"),
        examples: "",
        scenario: "drop",
    },
    Template {
        name: "minimal",
        about: "The least that sells: nothing declared beyond what every store has.",
        settings: &[],
        schema: &[("store.toml", include_str!("minimal/store.toml"))],
        choices: include_str!("minimal/choices.md"),
        examples: "",
        scenario: "smoke",
    },
];

/// The README of a new store; `{...}` are filled in by `init`.
pub(crate) const README: &str = include_str!("README.md");
/// The README of its `functions/`.
pub(crate) const FUNCTIONS_README: &str = include_str!("functions.md");
/// What of a store does not belong under version control.
pub(crate) const GITIGNORE: &str = include_str!("gitignore");

/// The template of that name.
pub(crate) fn find(name: &str) -> Option<&'static Template> {
    ALL.iter().find(|template| template.name == name)
}
