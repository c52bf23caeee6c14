//! Whose frames these are: the hello against the registered keys, then each frame's tag.
//!
//! Cheap checks first, so that a stranger costs little. The registered key is looked up again for
//! every frame: revoking it ends its sessions at once, and a changed role holds at once. Randomness
//! comes in as bytes; the keys that the two sides agreed on are never shown.

use claw_common::checksum::blake3_parts;
use claw_common::limits::{SIGNATURE_AGE_MS_MAX, SIGNATURE_AHEAD_MS_MAX};
use claw_common::time::UnixMs;
use claw_common::wire::{
    ALGORITHM_ED25519, ALGORITHM_HMAC_SHA256, DOMAIN_FRAME, DOMAIN_HELLO, DOMAIN_PROOF, FrameBase,
    HelloHeader, MODE_SESSION, MODE_SIGNED, PREFACE, SessionKeys, TAG_BYTES_HASH,
    TAG_BYTES_SIGNATURE, command_digest, identity_key, identity_of, session_keys, session_tag,
};
use claw_core::command::{AuthMode, CommandKey};
use claw_core::protocol::{CommandView, Frame};
use ed25519_dalek::{Signature, Verifier as _};
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;
use x25519_dalek::{PublicKey, StaticSecret};
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::ingest::auth::keyring::{Check, Key};
use crate::ingest::auth::{Caller, Keyring};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Role;
use crate::ingest::scopes::Scopes;

/// Longest life of a session's keys.
const SESSION_MS_MAX: u64 = 24 * 3600 * 1000;

/// A hello to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The frame.
    pub hello: &'a Frame<'a>,
    /// The keys in force.
    pub keyring: &'a Keyring,
    /// Now.
    pub now_ms: UnixMs,
    /// Fresh randomness: the connection's name.
    pub connection: [u8; 16],
    /// Fresh randomness: the X25519 private key.
    pub private: [u8; 32],
}

/// A hello that holds, before the welcome is written: its tag is under keys that cover it.
pub struct Stranger {
    session: Session,
    mode: u8,
    private: StaticSecret,
    ephemeral: [u8; 32],
    hello: Vec<u8>,
}

impl std::fmt::Debug for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stranger").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Who is at the other end of a connection.
#[derive(Debug)]
pub struct Session {
    key_name: Box<str>,
    key: u32,
    role: Role,
    auth_mode: AuthMode,
    /// The client's session.
    id: [u8; 16],
    connection: [u8; 16],
    identity_key: [u8; 32],
    keys: Option<SessionKeys>,
    opened_ms: UnixMs,
    next_sequence: u64,
    /// With ed25519: the frame's signature, then what it covers.
    evidence: Vec<u8>,
    /// What the commands of the frame admitted last are known by.
    identities: Vec<CommandKey>,
}

fn bad(detail: &str) -> Problem {
    Problem::new(ProblemKind::BadSignature, detail)
}

impl Opening<'_> {
    /// Checks the hello: its number, key, time and signature.
    pub fn admit(&self) -> Result<Stranger, Problem> {
        let frame = self.hello;
        if frame.header.sequence.get() != 0 {
            return Err(out_of_sequence(frame.header.sequence.get(), 0));
        }
        let (hello, name) = HelloHeader::read_from_prefix(frame.payload)
            .map_err(|_short| Problem::malformed("a hello has 56 bytes and the key's name"))?;
        if usize::from(hello.key_name_bytes) != name.len() || hello.reserved != [0; 5] {
            return Err(Problem::malformed("a hello ends with the key's name"));
        }
        if !matches!(hello.mode, MODE_SIGNED | MODE_SESSION) {
            return Err(Problem::malformed("a hello's mode is 1 or 2"));
        }
        let name = std::str::from_utf8(name).ok();
        let name = name.ok_or_else(|| Problem::malformed("a key's name is text"))?;
        let key = find_key(self.keyring, name)?;
        check_time(frame.header.created_ms.get(), self.now_ms)?;
        let algorithm = match &key.check {
            Check::Ed25519(_) => ALGORITHM_ED25519,
            Check::Hmac(_) => ALGORITHM_HMAC_SHA256,
        };
        if hello.algorithm != algorithm {
            let detail = format!("the key {name} signs with {}", key.check.algorithm());
            return Err(Problem::new(ProblemKind::BadSignature, detail));
        }
        check_tag(&key.check, &[&DOMAIN_HELLO, &PREFACE, frame.untagged], frame.tag)?;
        Ok(self.stranger(&hello, key))
    }

    fn stranger(&self, hello: &HelloHeader, key: &Key) -> Stranger {
        let auth_mode = match (hello.mode, &key.check) {
            (MODE_SESSION, _) => AuthMode::Session,
            (_, Check::Ed25519(_)) => AuthMode::Ed25519,
            (_, Check::Hmac(_)) => AuthMode::HmacSha256,
        };
        let session = Session {
            key_name: key.name.clone(),
            key: key.number,
            role: key.role,
            auth_mode,
            id: hello.session,
            connection: self.connection,
            identity_key: identity_key(&key.name, &hello.session),
            keys: None,
            opened_ms: self.now_ms,
            next_sequence: 1,
            evidence: Vec::new(),
            identities: Vec::new(),
        };
        Stranger {
            session,
            mode: hello.mode,
            private: StaticSecret::from(self.private),
            ephemeral: hello.ephemeral,
            hello: self.hello.bytes.to_vec(),
        }
    }
}

impl Stranger {
    /// The session as it will be.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The server's X25519 key for the welcome; zero where frames are signed.
    pub fn ephemeral(&self) -> [u8; 32] {
        if self.mode == MODE_SESSION { PublicKey::from(&self.private).to_bytes() } else { [0; 32] }
    }

    /// Bytes of the welcome's tag.
    pub const fn tag_bytes(&self) -> usize {
        if self.mode == MODE_SESSION { TAG_BYTES_HASH } else { 0 }
    }

    /// Agrees on keys over the welcome frame, which lacks only its tag; gives the key of that tag.
    pub fn agree(self, keyring: &Keyring, welcome: &[u8]) -> Result<Session, Problem> {
        let mut session = self.session;
        if self.mode != MODE_SESSION {
            return Ok(session);
        }
        let secret = self.private.diffie_hellman(&PublicKey::from(self.ephemeral));
        if !secret.was_contributory() {
            return Err(Problem::malformed("the hello's ephemeral key is a weak point"));
        }
        let transcript = blake3_parts(&[&self.hello, welcome]);
        let mut proof = [0; 32];
        if let Check::Hmac(state) = &find_key(keyring, &session.key_name)?.check {
            let mut state = state.as_ref().clone();
            state.update(&DOMAIN_PROOF);
            state.update(&transcript);
            proof.copy_from_slice(&state.finalize().into_bytes());
        }
        session.keys = Some(session_keys(secret.as_bytes(), &proof, &transcript));
        Ok(session)
    }
}

impl Session {
    /// The key that the server's frames carry a tag of; none where frames are signed.
    pub fn server_key(&self) -> Option<[u8; 32]> {
        self.keys.as_ref().map(|keys| keys.server)
    }

    /// What the client's session and its key are known by together.
    pub const fn identity_key(&self) -> &[u8; 32] {
        &self.identity_key
    }

    /// The connection's name, for the welcome.
    pub const fn connection(&self) -> [u8; 16] {
        self.connection
    }

    /// Checks a commands frame: its number, its key, its tag.
    pub fn admit(
        &mut self,
        frame: &Frame<'_>,
        keyring: &Keyring,
        now_ms: UnixMs,
    ) -> Result<(), Problem> {
        let sequence = frame.header.sequence.get();
        if sequence != self.next_sequence {
            return Err(out_of_sequence(sequence, self.next_sequence));
        }
        let key = find_key(keyring, &self.key_name)?;
        if let Some(keys) = &self.keys {
            if now_ms > self.opened_ms + SESSION_MS_MAX {
                let detail = "a session lasts 24 hours: connect again";
                return Err(Problem::new(ProblemKind::SignatureExpired, detail));
            }
            let tag = session_tag(&keys.client, frame.untagged);
            if !bool::from(tag.as_slice().ct_eq(frame.tag)) {
                return Err(bad("the tag is not the session's over this frame"));
            }
            frame.check_commands()?;
        } else {
            check_time(frame.header.created_ms.get(), now_ms)?;
            self.check_signed(frame, key)?;
        }
        (self.key, self.role) = (key.number, key.role);
        self.next_sequence += 1;
        self.identify(frame);
        Ok(())
    }

    fn check_signed(&mut self, frame: &Frame<'_>, key: &Key) -> Result<(), Problem> {
        let base = FrameBase {
            domain: DOMAIN_FRAME,
            session: self.id,
            connection: self.connection,
            header: frame.header,
        };
        if let Check::Hmac(_) = &key.check {
            check_tag(&key.check, &[base.as_bytes(), frame.payload], frame.tag)?;
            return Ok(frame.check_commands()?);
        }
        // The digests are what is signed, so the lengths must be right before the tag is.
        frame.check_commands()?;
        self.evidence.clear();
        self.evidence.extend_from_slice(frame.tag);
        self.evidence.extend_from_slice(base.as_bytes());
        for command in frame.commands() {
            self.evidence.extend_from_slice(&command_digest(command));
        }
        let covered = self.evidence.get(TAG_BYTES_SIGNATURE..).unwrap_or_default();
        check_tag(&key.check, &[covered], frame.tag)
    }

    /// What the command at this place of the frame admitted last is known by; of one that only
    /// reads nothing is.
    pub fn identity(&self, place: usize) -> CommandKey {
        self.identities[place]
    }

    fn identify(&mut self, frame: &Frame<'_>) {
        let Self { evidence, identities, identity_key, auth_mode, .. } = self;
        identities.clear();
        // With ed25519 they were hashed already.
        let covered = evidence.get(TAG_BYTES_SIGNATURE + size_of::<FrameBase>()..);
        let covered = covered.filter(|_| *auth_mode == AuthMode::Ed25519).unwrap_or_default();
        let mut digests = covered.chunks_exact(TAG_BYTES_HASH);
        for command in frame.commands() {
            let digest = digests.next();
            if CommandView::reads_only(command) {
                identities.push(CommandKey::default());
                continue;
            }
            let digest = digest.map_or_else(|| cut(&command_digest(command)), cut);
            let key = identity_of(identity_key, CommandView::sequence_of(command));
            identities.push(CommandKey { key, digest });
        }
    }

    /// Who asks.
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            key: self.key,
            name: &self.key_name,
            role: self.role,
            auth_mode: self.auth_mode,
            session: None,
            scopes: Scopes::NONE,
        }
    }

    /// For ed25519 the signature of the frame admitted last and what it covers; else empty.
    pub fn evidence(&self) -> &[u8] {
        &self.evidence
    }
}

fn cut(digest: &[u8]) -> [u8; 16] {
    digest[..16].try_into().expect("16 of 32 bytes")
}

fn out_of_sequence(came: u64, due: u64) -> Problem {
    let detail = format!("frame {came} came where {due} was due");
    Problem::new(ProblemKind::FrameSequence, detail)
}

fn find_key<'k>(keyring: &'k Keyring, name: &str) -> Result<&'k Key, Problem> {
    let key = keyring.find(name).ok_or_else(|| {
        Problem::new(ProblemKind::UnknownKey, format!("no key is registered as {name:?}"))
    })?;
    if key.revoked {
        let detail = format!("the key {name} was revoked");
        return Err(Problem::new(ProblemKind::RevokedKey, detail));
    }
    Ok(key)
}

fn check_time(created_ms: UnixMs, now_ms: UnixMs) -> Result<(), Problem> {
    let expired = |detail: &str| Err(Problem::new(ProblemKind::SignatureExpired, detail));
    if created_ms.saturating_add(SIGNATURE_AGE_MS_MAX) < now_ms {
        return expired("the frame was created more than 300 s ago");
    }
    if created_ms > now_ms + SIGNATURE_AHEAD_MS_MAX {
        return expired("the frame was created more than 30 s ahead of the node's clock");
    }
    Ok(())
}

/// Checks the registered key's tag over `parts` one after the other; ed25519 takes one part or
/// copies, which only a hello pays.
fn check_tag(check: &Check, parts: &[&[u8]], tag: &[u8]) -> Result<(), Problem> {
    let holds = match check {
        Check::Ed25519(key) => Signature::from_slice(tag).is_ok_and(|signature| match parts {
            [whole] => key.verify(whole, &signature).is_ok(),
            _ => key.verify(&parts.concat(), &signature).is_ok(),
        }),
        Check::Hmac(state) => {
            let mut state = state.as_ref().clone();
            for part in parts {
                state.update(part);
            }
            // Compares in constant time.
            state.verify_slice(tag).is_ok()
        }
    };
    if holds { Ok(()) } else { Err(bad("the tag is not the key's over this frame")) }
}
