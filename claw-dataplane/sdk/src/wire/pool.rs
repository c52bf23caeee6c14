//! One blocking connection for each core of the node; each command takes the one of its shard.
//!
//! Cores share one port and the kernel picks who accepts, so connections are opened until every
//! core has one, a bounded number of times; a core that was not found is reached through another.
//! Each connection has a session of its own, so each numbers its commands for itself.

use std::sync::Arc;

use super::answer::Answer;
use super::blocking::{Client, Options};
use super::command::{Command, Extras};
use super::error::WireError;
use super::routing::Routing;
use crate::key::Signer;

/// Connections tried for each core before one does without.
const TRIES_PER_CORE: usize = 16;

/// See the module.
///
/// ```no_run
/// # use std::sync::Arc;
/// use claw_sdk::Signer;
/// use claw_sdk::wire::{Command, Options, Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Arc::new(Signer::load("shop".as_ref(), "storefront-hmac")?);
/// let mut pool = Pool::connect("127.0.0.1:7070", &signer, &Options::default())?;
/// let answer = pool.call(&Command::ReadProduct { sku: "TEE-M" })?;
/// println!("{} through one of {} connections", answer.status, pool.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pool {
    clients: Vec<Client>,
    routing: Routing,
}

impl Pool {
    /// Connects to `HOST:PORT` until every core of the node that has shards has a connection. The
    /// options' `session` must be `None`.
    pub fn connect(peer: &str, signer: &Arc<Signer>, options: &Options) -> Result<Self, WireError> {
        assert!(options.session.is_none(), "each connection has a session of its own");
        let connect = |peer: &str| Client::connect(peer, Arc::clone(signer), options.clone());
        let first = connect(peer)?;
        let welcome = first.welcome().ok_or(WireError::NotOpen)?;
        let mut routing = Routing::new(welcome);
        let ports: Vec<_> = welcome.shards.iter().map(|place| (place.core, place.port)).collect();
        let mut clients = vec![first];
        let mut tries = TRIES_PER_CORE * routing.cores_count();
        while let Some(core) = routing.core_missing()
            && tries > 0
        {
            tries -= 1;
            let port = ports.iter().find(|place| place.0 == core).map_or(0, |place| place.1);
            let client = connect(&peer_at(peer, port))?;
            let welcome = client.welcome().ok_or(WireError::NotOpen)?;
            if routing.take(clients.len(), welcome) {
                clients.push(client);
            }
        }
        Ok(Self { clients, routing })
    }

    /// How many connections there are.
    pub const fn len(&self) -> usize {
        self.clients.len()
    }

    /// Never: there is at least one.
    pub const fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// The connection that a command takes.
    pub fn client(&mut self, command: &Command<'_>) -> &mut Client {
        let index = self.routing.route(command);
        &mut self.clients[index]
    }

    /// Asks one thing and waits for its answer.
    pub fn call(&mut self, command: &Command<'_>) -> Result<Answer<'_>, WireError> {
        self.client(command).call(command)
    }

    /// Asks `commands`, each through the connection of its shard, and gives each answer with the
    /// index of its command. As [`Client::batch`], but answers of one connection come after those
    /// of another: all are asked before any is waited for.
    pub fn batch(
        &mut self,
        commands: &[Command<'_>],
        mut answered: impl FnMut(usize, &Answer<'_>),
    ) -> Result<(), WireError> {
        let mut next = 0;
        let mut asked: Vec<Vec<(u64, usize)>> = vec![Vec::new(); self.clients.len()];
        while next < commands.len() {
            while let Some(command) = commands.get(next) {
                let place = self.routing.route(command);
                match self.clients[place].send(command, Extras::default()) {
                    Ok(sequence) => asked[place].push((sequence, next)),
                    Err(WireError::Full { .. }) => break,
                    Err(error) => return Err(error),
                }
                next += 1;
            }
            for client in &mut self.clients {
                client.flush()?;
            }
            for (client, asked) in self.clients.iter_mut().zip(&mut asked) {
                while client.unanswered() > 0 {
                    let answer = client.receive()?;
                    let known = asked.iter().find(|known| known.0 == answer.sequence);
                    answered(known.expect("it was asked").1, &answer);
                }
                asked.clear();
            }
        }
        Ok(())
    }
}

/// The same host at another port; 0 for the same one.
fn peer_at(peer: &str, port: u16) -> String {
    match peer.rsplit_once(':') {
        Some((host, _)) if port != 0 => format!("{host}:{port}"),
        _ => peer.to_owned(),
    }
}
