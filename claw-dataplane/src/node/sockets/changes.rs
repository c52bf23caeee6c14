//! What a socket that comes back is told first: asked of every shard, for the node itself.

use claw_common::id::{Session as SessionName, ShardId};
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, Request};
use claw_core::outcome::Outcome;

use crate::ingest::socket::notices::{Told, write};
use crate::ring::ConnectionId;

use crate::node::core::Core;

use crate::node::envelope::{Envelope, encode_request};
use crate::node::pending::{Pending, Stage};
use crate::node::work::Work;

impl Core {
    /// Asks a shard what changed of a session; false when too much is under way.
    pub(super) fn ask_changes(
        &mut self,
        connection: ConnectionId,
        session: SessionName,
        behind: (ShardId, u64),
    ) -> bool {
        let (shard, after) = behind;
        let stage = Stage::Changes { connection, shard };
        let command = Command::ReadSession { session: session.as_str(), after };
        self.ask_own(shard, &command, stage)
    }

    /// Asks a shard for the node itself; false when too much is under way.
    pub(super) fn ask_own(&mut self, shard: ShardId, command: &Command<'_>, stage: Stage) -> bool {
        let Ok(key) = self.pending.insert(Pending { asker: None, stage }) else { return false };
        let request = Request {
            command: *command,
            identity: CommandKey::default(),
            reply_to: self.reply_to(key),
            key: 0,
            auth_mode: AuthMode::default(),
            accepted: self.next_stamp(),
            entropy: 0,
            extra: b"",
            extra_type: ExtraType::default(),
            evidence: b"",
        };
        let request = encode_request(&request);
        let core = self.placement.core_of(shard);
        if core == self.id {
            self.inbox.push_back(Work::Request { shard, request });
        } else {
            self.mesh.send(core, Envelope::Request { shard, request });
        }
        true
    }

    /// A shard has said what changed of a session behind a socket's cursor.
    pub(in crate::node) fn take_changes(
        &mut self,
        connection: ConnectionId,
        outcome: &[u8],
        at: (ShardId, u64),
    ) {
        let (shard, sequence) = at;
        let Some(mut changes) = read_changes(outcome) else {
            return self.drop_behind(connection);
        };
        let Some(watcher) = self.sockets.watchers.get_mut(&connection) else { return };
        let mut texts = Vec::new();
        let mut list = changes.list.iter().peekable();
        while let Some((changed_at, changed)) = list.next() {
            // One record may have changed several things: it is told with the last of them.
            if list.peek().is_none_or(|(next_at, _)| next_at != changed_at) {
                watcher.cursor.advance(shard, *changed_at);
            }
            let cursor = watcher.cursor.to_text();
            texts.push(write(&Told::Changed(changed), watcher.format, &cursor));
        }
        if changes.more {
            texts.push(write(&Told::More, watcher.format, &watcher.cursor.to_text()));
        } else {
            watcher.cursor.advance(shard, sequence);
        }
        let waited = watcher.waiting.remove(&shard).unwrap_or_default();
        changes.list.clear();
        for text in &texts {
            self.say_to(connection, text);
        }
        if changes.more {
            return self.drop_behind(connection);
        }
        for (place, notice) in waited {
            self.tell_one(connection, (shard, place), &notice);
        }
    }
}

/// What changed, each with the record that changed it, and whether there is more.
struct Changes<'a> {
    list: Vec<(u64, Outcome<'a>)>,
    more: bool,
}

fn read_changes(outcome: &[u8]) -> Option<Changes<'_>> {
    let decoded = Outcome::decode(&mut Reader::new(outcome));
    let Ok(Outcome::SessionChanges { count, changes, more }) = decoded else { return None };
    let mut reader = Reader::new(changes);
    let one = |_| Some((reader.u64().ok()?, Outcome::decode(&mut reader).ok()?));
    Some(Changes { list: (0..count).map(one).collect::<Option<_>>()?, more })
}
