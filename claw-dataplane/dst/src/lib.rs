//! Deterministic simulation testing of the pure machines.
