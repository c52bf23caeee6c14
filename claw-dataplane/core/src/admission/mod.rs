//! Admission: how often a key or a session may ask, and how much may be under way at once.
//!
//! Pure arithmetic with time as input; ingest keeps one per core and answers 429 or 503. Bounded:
//! the bucket longest unused makes room, which only ever forgives.

mod bucket;
mod credits;

pub use bucket::{Buckets, Rate};
pub use credits::Credits;
