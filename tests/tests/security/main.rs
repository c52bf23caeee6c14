//! What an attacker would try, against a real node: everything is refused by name and nothing of
//! it is in the log.
//!
//! One module for each way in: [`algorithms`] and [`keys`] forge tokens and signatures, and
//! [`lifetimes`] stretches them; [`coverage`] moves a signature to another request; [`replay`]
//! sends the same again; [`sessions`] reaches for what is another's; [`smuggling`] says two things
//! at once. Tables that must name every route are held against the program's own table, so that a
//! route nobody thought of here fails.

mod algorithms;
mod coverage;
mod forge;
mod keys;
mod lifetimes;
mod replay;
mod sessions;
mod smuggling;
