//! One verb per activity.
fn main() {}
