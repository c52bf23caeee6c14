//! Commands on their way to a shard, however they came in: what a shard and its log rely on.
//!
//! A command travels between cores and is logged in its own encoding; one that did not survive that
//! would end a node, or keep it from starting. Deliberately not here: what a shard decides.

use claw_core::codec::{Decode as _, Encode as _, Reader, Writer};
use claw_core::command::Command;
use claw_core::schema::canonical_json;
use claw_dataplane::ingest::decode::Routed;

/// Checks that a command survives its encoding within its bound and that the store's own members
/// are canonical JSON; describes it without what depends on how it was written.
pub fn check_routed(routed: &Routed<'_>) -> String {
    let bound = routed.command.encoded_bytes_max();
    let mut bytes = vec![0; bound];
    let mut writer = Writer::new(&mut bytes);
    routed.command.encode(&mut writer);
    let written = writer.written();
    let mut reader = Reader::new(&bytes[..written]);
    let again = Command::decode(&mut reader).expect("a command is read as it was written");
    assert_eq!((format!("{again:?}"), reader.remaining()), (format!("{:?}", routed.command), 0));
    if !routed.extra.is_empty() {
        let value = serde_json::from_slice(routed.extra).expect("extras are JSON");
        assert_eq!(canonical_json(&value).as_bytes(), routed.extra);
    }
    format!("{:?} {:?} {:?}", routed.target, routed.command, routed.extra)
}
