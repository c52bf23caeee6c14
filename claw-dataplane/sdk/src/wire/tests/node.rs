//! A node in memory: says welcome, checks every tag, remembers commands, answers when told to.

use claw_common::checksum::blake3_parts;
use claw_common::wire::{
    ANSWER_OUTCOME, ANSWER_PROBLEM, AnswerHeader, CommandHeader, DOMAIN_FRAME, DOMAIN_HELLO,
    DOMAIN_PROOF, FRAME_ANSWERS, FRAME_CLOSING, FRAME_COMMANDS, FRAME_HELLO, FRAME_WELCOME,
    FrameBase, FrameHeader, HelloHeader, MODE_SESSION, OUTCOME_VERSION, PREFACE, ProblemHeader,
    SessionKeys, ShardPlace, VERSION, WelcomeHeader, command_digest, problem_code, session_keys,
    session_tag,
};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::Mac as _;
use x25519_dalek::{PublicKey, StaticSecret};
use zerocopy::{FromBytes as _, FromZeros as _, IntoBytes as _};

use crate::key::{keyed_state, parse_secret};

const HEADER: usize = size_of::<FrameHeader>();
/// An outcome: a cart was made.
const CART_MADE: [u8; 17] = [4; 17];

enum Key {
    Hmac([u8; 32]),
    Ed25519(VerifyingKey),
}

pub(super) struct Node {
    key: Key,
    pub(super) in_flight_max: u32,
    pub(super) commands_max: u32,
    pub(super) frame_bytes_max: u32,
    pub(super) connection: [u8; 16],
    received: Vec<u8>,
    pub(super) out: Vec<u8>,
    hello: Option<HelloHeader>,
    keys: Option<SessionKeys>,
    frames_in: u64,
    frames_out: u64,
    /// Number and bytes of every command, in the order in which they came.
    pub(super) commands: Vec<(u64, Vec<u8>)>,
    /// Commands in each frame.
    pub(super) frames: Vec<u16>,
}

impl Node {
    fn new(key: Key) -> Self {
        Self {
            key,
            in_flight_max: 8,
            commands_max: 4,
            frame_bytes_max: 64 * 1024,
            connection: [0xc0; 16],
            received: Vec::new(),
            out: Vec::new(),
            hello: None,
            keys: None,
            frames_in: 0,
            frames_out: 0,
            commands: Vec::new(),
            frames: Vec::new(),
        }
    }

    pub(super) fn hmac(secret: &str) -> Self {
        Self::new(Key::Hmac(*parse_secret(secret).unwrap()))
    }

    pub(super) fn ed25519(public: [u8; 32]) -> Self {
        Self::new(Key::Ed25519(VerifyingKey::from_bytes(&public).unwrap()))
    }

    /// A new connection; what was commanded stays known.
    pub(super) fn hang_up(&mut self) {
        (self.frames_in, self.frames_out) = (0, 0);
        (self.hello, self.keys) = (None, None);
        self.received.clear();
        self.out.clear();
        self.connection[0] += 1;
    }

    fn registered_holds(&self, base: &[u8], tag: &[u8]) -> bool {
        match &self.key {
            Key::Hmac(secret) => {
                let mut state = keyed_state(secret);
                state.update(base);
                state.verify_slice(tag).is_ok()
            }
            Key::Ed25519(key) => {
                let signature = Signature::from_slice(tag).unwrap();
                key.verify_strict(base, &signature).is_ok()
            }
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        if self.hello.is_none() && self.received.len() >= PREFACE.len() && self.frames_in == 0 {
            assert_eq!(self.received[..PREFACE.len()], PREFACE);
        }
        loop {
            let skip = if self.hello.is_none() { PREFACE.len() } else { 0 };
            let Some(rest) = self.received.get(skip..) else { return };
            let Ok((header, _)) = FrameHeader::read_from_prefix(rest) else { return };
            let length = usize::try_from(header.length_bytes.get()).unwrap();
            if rest.len() < length {
                return;
            }
            let frame = rest[..length].to_vec();
            self.received.drain(..skip + length);
            assert_eq!(header.sequence.get(), self.frames_in, "no gap");
            self.frames_in += 1;
            match header.kind {
                FRAME_HELLO => self.take_hello(&header, &frame),
                FRAME_COMMANDS => self.take_commands(&header, &frame),
                kind => panic!("frame of kind {kind}"),
            }
        }
    }

    fn take_hello(&mut self, header: &FrameHeader, frame: &[u8]) {
        let (untagged, tag) = frame.split_at(frame.len() - usize::from(header.tag_bytes));
        assert!(self.registered_holds(&[&DOMAIN_HELLO[..], &PREFACE, untagged].concat(), tag));
        let (hello, name) = HelloHeader::read_from_prefix(&untagged[HEADER..]).unwrap();
        assert_eq!(name, b"front");
        let session = hello.mode == MODE_SESSION;
        let secret = StaticSecret::from([0x77; 32]);
        let mut welcome = WelcomeHeader::new_zeroed();
        welcome.version = VERSION.into();
        welcome.outcome_version = OUTCOME_VERSION.into();
        welcome.shards_count = 2.into();
        welcome.in_flight_max = self.in_flight_max.into();
        welcome.commands_max = self.commands_max.into();
        welcome.frame_bytes_max = self.frame_bytes_max.into();
        welcome.connection = self.connection;
        if session {
            welcome.ephemeral = PublicKey::from(&secret).to_bytes();
        }
        let places = [ShardPlace::new_zeroed(); 2];
        let payload = [welcome.as_bytes(), places.as_bytes()].concat();
        let untagged = self.untagged(FRAME_WELCOME, 0, session, &payload);
        if session {
            let shared = secret.diffie_hellman(&PublicKey::from(hello.ephemeral));
            let transcript = blake3_parts(&[frame, &untagged]);
            let mut proof = [0; 32];
            if let Key::Hmac(secret) = &self.key {
                let mut state = keyed_state(secret);
                state.update(&DOMAIN_PROOF);
                state.update(&transcript);
                proof.copy_from_slice(&state.finalize().into_bytes());
            }
            self.keys = Some(session_keys(shared.as_bytes(), &proof, &transcript));
        }
        self.hello = Some(hello);
        self.send(&untagged);
    }

    fn take_commands(&mut self, header: &FrameHeader, frame: &[u8]) {
        let (untagged, tag) = frame.split_at(frame.len() - usize::from(header.tag_bytes));
        let mut payload = &untagged[HEADER..];
        let mut taken = Vec::new();
        while !payload.is_empty() {
            let (command, _) = CommandHeader::read_from_prefix(payload).unwrap();
            let length = usize::try_from(command.length_bytes.get()).unwrap();
            taken.push((command.sequence.get(), payload[..length].to_vec()));
            payload = &payload[length..];
        }
        assert_eq!(taken.len(), usize::from(header.count.get()));
        assert!(frame.len() <= usize::try_from(self.frame_bytes_max).unwrap());
        assert!(taken.len() <= usize::try_from(self.commands_max).unwrap());
        if let Some(keys) = &self.keys {
            assert_eq!(session_tag(&keys.client, untagged), tag);
        } else {
            let base = FrameBase {
                domain: DOMAIN_FRAME,
                session: self.hello.unwrap().session,
                connection: self.connection,
                header: *header,
            };
            let mut covered = base.as_bytes().to_vec();
            match &self.key {
                Key::Hmac(_) => covered.extend_from_slice(&untagged[HEADER..]),
                Key::Ed25519(_) => {
                    for (_, bytes) in &taken {
                        covered.extend(command_digest(bytes));
                    }
                }
            }
            assert!(self.registered_holds(&covered, tag));
        }
        self.frames.push(header.count.get());
        if taken.is_empty() {
            self.answer(&[]);
        }
        self.commands.append(&mut taken);
    }

    fn untagged(&mut self, kind: u8, count: usize, tagged: bool, payload: &[u8]) -> Vec<u8> {
        let tag_bytes: u8 = if tagged { 32 } else { 0 };
        let length = HEADER + payload.len() + usize::from(tag_bytes);
        let header = FrameHeader {
            length_bytes: u32::try_from(length).unwrap().into(),
            kind,
            tag_bytes,
            count: u16::try_from(count).unwrap().into(),
            sequence: self.frames_out.into(),
            created_ms: 0.into(),
        };
        self.frames_out += 1;
        [header.as_bytes(), payload].concat()
    }

    fn send(&mut self, untagged: &[u8]) {
        self.out.extend_from_slice(untagged);
        if let Some(keys) = &self.keys {
            self.out.extend_from_slice(&session_tag(&keys.server, untagged));
        }
    }

    /// Answers these commands in one frame: a cart was made.
    pub(super) fn answer(&mut self, sequences: &[u64]) {
        let mut payload = Vec::new();
        for &sequence in sequences {
            payload.extend(answer(sequence, ANSWER_OUTCOME, &CART_MADE));
        }
        let tagged = self.keys.is_some();
        let untagged = self.untagged(FRAME_ANSWERS, sequences.len(), tagged, &payload);
        self.send(&untagged);
    }

    /// Refuses a command.
    pub(super) fn refuse(&mut self, sequence: u64, name: &str, detail: &str) {
        let payload = answer(sequence, ANSWER_PROBLEM, &problem(name, detail));
        let tagged = self.keys.is_some();
        let untagged = self.untagged(FRAME_ANSWERS, 1, tagged, &payload);
        self.send(&untagged);
    }

    /// Ends the connection.
    pub(super) fn close(&mut self, name: &str) {
        let tagged = self.keys.is_some();
        let untagged = self.untagged(FRAME_CLOSING, 0, tagged, &problem(name, "because"));
        self.send(&untagged);
    }
}

fn answer(sequence: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut header = AnswerHeader::new_zeroed();
    header.length_bytes = u32::try_from(size_of::<AnswerHeader>() + body.len()).unwrap().into();
    header.kind = kind;
    header.status = 201.into();
    header.sequence = sequence.into();
    header.shard = 1.into();
    header.position = (100 + sequence).into();
    [header.as_bytes(), body].concat()
}

/// With the member `available` = 3.
fn problem(name: &str, detail: &str) -> Vec<u8> {
    let header = ProblemHeader {
        code: problem_code(name).into(),
        name_bytes: u8::try_from(name.len()).unwrap(),
        members_count: 1,
        detail_bytes: u16::try_from(detail.len()).unwrap().into(),
        retry_after_s: 2.into(),
    };
    let member = [&[1, 9, 8, 0][..], b"available", &3_u64.to_le_bytes()].concat();
    [header.as_bytes(), name.as_bytes(), detail.as_bytes(), &member].concat()
}
