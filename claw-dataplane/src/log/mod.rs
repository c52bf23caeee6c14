//! The durable log: devices, group commit, recovery, archive, reading.
