//! Keys of subjects on a core: new ones taken over, and what was forgotten told to the log.
//!
//! Owns what a core does when housekeeping found the key file changed: it seals with the new keys
//! from its next heartbeat on and drops those it kept ready. The core of shard 0 also writes an
//! event for each subject that was forgotten, so that an auditor sees who asked, when, and for
//! whom; those that were forgotten while no node ran are told at the start. Does not read the file.

use std::sync::Arc;

use claw_common::checksum::blake3;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, Request};
use rand::RngCore as _;

use crate::subjects::SubjectKeys;

use super::core::Core;
use super::keys::KEY_SHARD;
use super::pending::{Pending, Stage};

/// See the module.
#[derive(Debug)]
pub struct SubjectWatch {
    keys: Arc<SubjectKeys>,
    revision: u64,
    /// How many forgotten subjects the log tells of; on the core of shard 0 only.
    logged_count: Option<usize>,
    /// One is being told.
    telling: bool,
}

impl SubjectWatch {
    /// A watch that begins with these keys.
    pub fn new(keys: Arc<SubjectKeys>) -> Self {
        Self { keys, revision: 0, logged_count: None, telling: false }
    }
}

impl Core {
    /// Learns what the log already tells; before the first look at what it should.
    pub(super) fn recall_forgotten(&mut self) {
        let Some(lane) = self.lane_index(KEY_SHARD) else { return };
        let count = self.lanes[lane].shard().forgotten_count();
        let count = usize::try_from(count).expect("the file held as many");
        self.subject_watch.logged_count = Some(count);
        self.log_forgotten();
    }

    /// Takes changed keys over.
    pub(super) fn follow_subjects(&mut self) {
        let revision = self.shared.subjects_revision();
        if revision == self.subject_watch.revision {
            return;
        }
        let Some(keys) = self.shared.subjects() else { return };
        self.subject_watch.revision = revision;
        self.subject_watch.keys = Arc::clone(&keys);
        let gate = self.gate.as_mut().expect("not in use between steps");
        gate.use_subject_keys(keys);
        self.log_forgotten();
    }

    /// Tells the log of the next subject it does not know to be forgotten, one at a time.
    pub(super) fn log_forgotten(&mut self) {
        let watch = &self.subject_watch;
        let Some(logged_count) = watch.logged_count else { return };
        if watch.telling || logged_count >= watch.keys.forgotten().len() {
            return;
        }
        let pending = Pending { asker: None, stage: Stage::Forget };
        // Too busy to tell it now: the next second looks again.
        let Ok(key) = self.pending.insert(pending) else { return };
        self.subject_watch.telling = true;
        let keys = Arc::clone(&self.subject_watch.keys);
        let forgotten = &keys.forgotten()[logged_count];
        let number = u64::try_from(logged_count).expect("a count of memory") + 1;
        // After a crash it may be told again: a fresh identity, the same number.
        let nonce = blake3(&[number.to_le_bytes(), self.entropy.next_u64().to_le_bytes()].concat());
        let identity = CommandKey {
            key: nonce[..16].try_into().expect("16 bytes"),
            digest: forgotten.subject,
        };
        let request = Request {
            command: Command::ForgetSubject {
                number,
                subject: forgotten.subject,
                at_ms: forgotten.at_ms,
                by: &forgotten.by,
            },
            identity,
            reply_to: self.reply_to(key),
            key: 0,
            auth_mode: AuthMode::Node,
            accepted: self.next_stamp(),
            entropy: self.entropy.next_u64(),
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        };
        self.send_request(KEY_SHARD, &request, key).expect("shard 0 is on this core");
    }

    /// The one being told is durable, or found no room and is told again in a second.
    pub(super) fn forgotten_told(&mut self, durable: bool) {
        let watch = &mut self.subject_watch;
        watch.telling = false;
        if let Some(count) = watch.logged_count.as_mut().filter(|_| durable) {
            *count += 1;
            self.log_forgotten();
        }
    }
}
