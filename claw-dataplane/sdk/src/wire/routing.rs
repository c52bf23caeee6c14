//! Which of several connections a command takes: the one on the core that has its shard.
//!
//! Any connection serves every shard; on the right one a command saves the hop between cores. Pure:
//! a welcome in, an index out, for either shell. Does not open connections.

use super::command::Command;
use super::handshake::Welcome;

/// Which core each shard is on, and which connection each core.
#[derive(Clone, Debug)]
pub struct Routing {
    shards_count: u16,
    /// Connection of each shard.
    connections: Vec<usize>,
    /// Cores in the order in which the shards name them.
    cores: Vec<u16>,
    /// Connection of each of `cores`.
    found: Vec<Option<usize>>,
}

impl Routing {
    /// What the first connection's welcome says; that one has the number 0.
    pub fn new(welcome: &Welcome) -> Self {
        let mut cores = Vec::new();
        for place in &welcome.shards {
            if !cores.contains(&place.core) {
                cores.push(place.core);
            }
        }
        let found = vec![None; cores.len()];
        let connections = vec![0; welcome.shards.len()];
        let mut routing = Self { shards_count: welcome.shards_count, connections, cores, found };
        routing.take(0, welcome);
        routing
    }

    /// Connection `number` is there. Returns whether its core had none: else it is of no use.
    pub fn take(&mut self, number: usize, welcome: &Welcome) -> bool {
        let Some(place) = self.cores.iter().position(|&core| core == welcome.core) else {
            return false;
        };
        if self.found[place].is_some() || welcome.shards.len() != self.connections.len() {
            return false;
        }
        self.found[place] = Some(number);
        for (connection, shard) in self.connections.iter_mut().zip(&welcome.shards) {
            if shard.core == welcome.core {
                *connection = number;
            }
        }
        true
    }

    /// Cores that have shards.
    pub fn cores_count(&self) -> usize {
        self.cores.len()
    }

    /// A core that has no connection yet.
    pub fn core_missing(&self) -> Option<u16> {
        let place = self.found.iter().position(Option::is_none)?;
        Some(self.cores[place])
    }

    /// The connection for a command.
    pub fn route(&self, command: &Command<'_>) -> usize {
        self.connections[usize::from(command.shard(self.shards_count).0)]
    }
}

#[cfg(test)]
mod tests {
    use claw_common::id::{Id, ShardId};

    use super::super::handshake::Place;
    use super::*;

    fn welcome(core: u16, cores: &[u16]) -> Welcome {
        Welcome {
            shards_count: u16::try_from(cores.len()).unwrap(),
            core,
            in_flight_max: 1,
            commands_max: 1,
            frame_bytes_max: 1024,
            sequence_taken: 0,
            connection: [0; 16],
            shards: cores.iter().map(|&core| Place { core, port: 0 }).collect(),
        }
    }

    #[test]
    fn command_takes_the_connection_of_its_shards_core() {
        let cores = [0, 1, 0, 1];
        let mut routing = Routing::new(&welcome(1, &cores));
        assert_eq!((routing.cores_count(), routing.core_missing()), (2, Some(0)));
        let read = |shard| Command::ReadOrder { order: Id::version_7(1, 2, ShardId(shard)) };
        assert_eq!(routing.route(&read(0)), 0, "any connection serves, until there is a better");
        assert!(!routing.take(1, &welcome(1, &cores)), "that core has one");
        assert!(routing.take(1, &welcome(0, &cores)));
        assert_eq!(routing.core_missing(), None);
        let found: Vec<_> = (0..4).map(|shard| routing.route(&read(shard))).collect();
        assert_eq!(found, [1, 0, 1, 0]);
        assert_eq!(routing.route(&read(9)), 1, "an id of another store goes to the first shard");
    }
}
