//! store.toml: typed settings, their defaults and their checks.
