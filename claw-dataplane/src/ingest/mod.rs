//! From bytes on a socket to authenticated commands, and from outcomes back to bytes.
//!
//! ```text
//!  bytes -> tls::Session (where there is one)
//!        -> http::Connection -> routes -> auth::Verifier -> limits -> decode -> Routed command
//!  bytes <- http::ResponseQueue <- render <- encoded Outcome, or Problem
//! ```
//! The wire protocol ([`wire`]) has a way of its own to the same command and from the same outcome.
//! Everything here is sans-I/O: the node moves the bytes, knows the time and drives deadlines.
//! The order is the order of trust: nothing of a body is looked at before its signature holds.
//!
//! Architecture invariant: no socket, clock, thread or log in here, and no state of the business.

pub mod auth;
pub mod decode;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod render;
pub mod routes;
pub mod scopes;
pub mod socket;
pub mod tickets;
pub mod tls;
pub mod wire;

use auth::Caller;
use problem::{Problem, ProblemKind};
use routes::{Role, RouteSpec, Routing};

/// The problem of a request that found no route.
///
/// # Panics
/// If it found one.
pub fn unrouted(routing: &Routing<'_>, path: &str) -> Problem {
    match routing {
        Routing::NoPath => {
            let detail = "there is no such path; /openapi.json names all of them";
            Problem::new(ProblemKind::NotFound, detail)
        }
        Routing::OtherMethods => {
            let detail = "the path is there with other methods, see Allow";
            Problem::new(ProblemKind::MethodNotAllowed, detail).text("path", path)
        }
        Routing::Found(found) => unreachable!("{found:?} is a route"),
    }
}

/// Whether the caller may use a route, by role and a token also by scope; else a problem that names
/// what would do.
pub fn authorize(spec: &RouteSpec, caller: &Caller<'_>) -> Result<(), Problem> {
    if !spec.roles.has(caller.role) {
        return Err(wrong_role(spec, caller));
    }
    let wanted = spec.roles.scopes();
    if caller.role != Role::Shopper || wanted.is_empty() || wanted.meet(caller.scopes) {
        return Ok(());
    }
    let wanted: Vec<_> = wanted.names().collect();
    let detail = format!("the token's scope does not cover this; it needs {}", wanted.join(" or "));
    Err(Problem::new(ProblemKind::InsufficientScope, detail).text("scope", wanted.join(" ")))
}

fn wrong_role(spec: &RouteSpec, caller: &Caller<'_>) -> Problem {
    let roles: Vec<_> = spec.roles.names().filter(|&name| name != "shopper").collect();
    let roles = roles.join(" or ");
    let (name, role) = (caller.name, caller.role.name());
    let detail = match caller.role {
        Role::Shopper => format!("a shopper's token is not for this; it needs {roles}"),
        _ => format!("the key {name} has the role {role}; this needs {roles}"),
    };
    Problem::new(ProblemKind::Forbidden, detail).text("roles", roles)
}
