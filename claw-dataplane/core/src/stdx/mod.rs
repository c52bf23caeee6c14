//! What could have been in the standard library, sized at boot and with a fixed order.
//!
//! Knows nothing of the business.

pub mod index;
pub mod prefetch;
pub mod slab;
pub mod wheel;

pub use index::PlaceIndex;
pub use prefetch::prefetch;
pub use slab::{Keyed, KeyedSlab};
pub use wheel::TimerWheel;
