//! Boot, placement, mesh and fatal stops: the only place threads start.
