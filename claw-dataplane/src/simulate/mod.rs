//! `claw simulate`: shoppers against a real node, over real sockets.
//!
//! ```text
//!   scenario file --> Scenario --> users (state machines) --> requests, signed
//!                                     ^                             |
//!                                     | answers                     v
//!   ledger <--- what was acknowledged + <-- engine (one thread, epoll) <--> node (own process)
//!      |
//!      +--> audit <--- every SKU read back <--- node        report: text, JSON, .hgrm
//! ```
//!
//! The point is to be a witness that shares nothing with the node: another process, the public
//! interface only, and its own book of what it was told. The node must not merely be consistent
//! with itself; it must agree with everything that it ever acknowledged to anybody.
//!
//! What is pure (scenarios, users, schedule, answers, audit, report) is apart from what is not
//! (`client`, `node_process`, `setup`). Every draw comes from the seed; what cannot be repeated is
//! the timing of a real machine, and the nonce that keeps two runs over one store apart.
//!
//! Does not fail a node for being slow, and does not look into its store: `claw audit` does.

pub mod answer;
pub mod audit;
pub mod client;
pub mod environment;
pub mod ledger;
pub mod node_process;
pub mod progress;
pub mod recorder;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod schedule;
pub mod setup;
pub mod user;
