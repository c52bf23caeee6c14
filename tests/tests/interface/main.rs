//! The public interface, line by line, as somebody outside this project meets it.
//!
//! One module for each family of routes: names, status codes, headers and rules of the interface
//! are written out here again, on purpose, and never taken from the program. Real nodes, real
//! sockets, real signatures. Crashes, faults and overload have tests of their own.

mod carts;
mod catalogue;
mod checkouts;
mod command_line;
mod coupons;
mod events;
mod holds;
mod idempotency;
mod orders;
mod personal;
mod positions;
mod restarts;
mod roles;
mod schema;
mod surface;
mod tickets;
mod tokens;
mod world;
