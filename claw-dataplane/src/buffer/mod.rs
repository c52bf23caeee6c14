//! Memory-mapped pools: nearly all of the unsafe code.
