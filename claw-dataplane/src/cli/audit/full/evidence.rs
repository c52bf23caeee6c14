//! The ed25519 signatures that records hold.
//!
//! A record holds the signature and the base it covers (RFC 9421 section 2.5). Checked: the
//! signature, by the key that the log says was in force; and that the base is of the very request
//! the record says caused it, by computing the command's identity from it again. The body itself is
//! not in the log: that its digest is the one signed was checked when the request came in.
//!
//! Evidence of a request with personal members is sealed for its subject. It is opened and checked
//! where the store's `subjects/keys` still can; what is forgotten, or has no keys here, is counted:
//! the chain holds it as it was written, and nobody can say more.

use claw_common::id::Id;
use claw_common::time::Hlc;
use claw_core::command::AuthMode;
use claw_core::log::RecordView;
use ed25519_dalek::{Signature, VerifyingKey};

use super::keys::{LoggedKey, LoggedKeys};
use super::{Part, place};
use crate::ingest::decode::headers::identity_key;
use crate::ingest::routes::{Routing, find_route};
use crate::subjects::{Reader, Revealed};

const SIGNATURE_BYTES: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Evidence {
    keys: LoggedKeys,
    reader: Reader,
    part: Part,
    verified_count: u64,
    /// Signatures that nobody can open here, or any more.
    sealed_count: u64,
    /// Records of requests, by how they were authenticated.
    unprovable_count: u64,
}

impl Evidence {
    pub(super) fn new(keys: LoggedKeys, reader: Reader) -> Self {
        let part = Part::new("evidence");
        Self { keys, reader, part, verified_count: 0, sealed_count: 0, unprovable_count: 0 }
    }

    pub(super) fn take(&mut self, record: &RecordView<'_>) {
        let mode = record.header.auth_mode.get();
        if [AuthMode::HmacSha256 as u16, AuthMode::Token as u16].contains(&mode) {
            self.unprovable_count += 1;
        }
        if record.evidence.is_empty() {
            return;
        }
        let checked = match self.reader.reveal_evidence(record.evidence) {
            Revealed::Plain => self.check(record, record.evidence),
            Revealed::Open(evidence) => self.check(record, &evidence),
            Revealed::Damaged => Err("it is not what was sealed here".to_owned()),
            Revealed::Sealed | Revealed::Forgotten => {
                self.sealed_count += 1;
                return;
            }
        };
        match checked {
            Ok(()) => self.verified_count += 1,
            Err(why) => {
                let place = place(record.shard, record.sequence);
                self.part.find(format!("{place}: evidence: {why}"));
            }
        }
    }

    fn check(&self, record: &RecordView<'_>, evidence: &[u8]) -> Result<(), String> {
        let header = record.header;
        let accepted_ms = Hlc(header.accepted_hlc.get()).unix_ms();
        let key = self.keys.in_force(header.key.get(), accepted_ms)?;
        let (signature, base) = evidence
            .split_first_chunk::<SIGNATURE_BYTES>()
            .ok_or("it is shorter than a signature")?;
        let public = VerifyingKey::from_bytes(&key.public)
            .map_err(|_invalid| format!("key {} is not an ed25519 key", header.key.get()))?;
        public
            .verify_strict(base, &Signature::from_bytes(signature))
            .map_err(|_wrong| format!("the signature is not of key `{}`", key.name))?;
        check_request(key, base, &header.command)
    }

    pub(super) fn close(mut self) -> Part {
        self.part.checked = format!(
            "{} ed25519 signatures by {} registered keys; {} sealed for subjects that are \
             forgotten or have no keys here; {} records of hmac or tokens, which prove nothing to \
             third parties",
            self.verified_count,
            self.keys.count(),
            self.sealed_count,
            self.unprovable_count
        );
        self.part
    }
}

/// Whether the base is of the request that the record names.
fn check_request(key: &LoggedKey, base: &[u8], command: &[u8; 16]) -> Result<(), String> {
    let base = std::str::from_utf8(base).map_err(|_invalid| "its base is not text")?;
    let line =
        |name: &str| base.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let (Some(method), Some(path)) = (line("\"@method\""), line("\"@path\"")) else {
        return Err("its base names no method and path".to_owned());
    };
    let Some(id) = line("\"idempotency-key\"").map(|text| text.trim_matches('"')) else {
        return Err("its base names no Idempotency-Key".to_owned());
    };
    let (Routing::Found(matched), Some(id)) = (find_route(method, path), Id::parse(id)) else {
        return Err(format!("its base is of {method} {path}, which no route is"));
    };
    if identity_key((&key.name, ""), &matched, id) == *command {
        return Ok(());
    }
    Err(format!("its base is of another request than the record's ({method} {path})"))
}
