//! The claw binary.
fn main() {}
