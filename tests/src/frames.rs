//! Frames to and from a node, made byte by byte from the layouts.
//!
//! Independent of the SDK's client on purpose: it can send what no client would, and a mistake in
//! one is not shared by the other.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_common::checksum::blake3_parts;
use claw_common::wire::{
    ALGORITHM_ED25519, ALGORITHM_HMAC_SHA256, ANSWER_PROBLEM, AnswerHeader, CommandHeader,
    CommandKind, DOMAIN_FRAME, DOMAIN_HELLO, DOMAIN_PROOF, FRAME_COMMANDS, FRAME_HELLO, FrameBase,
    FrameHeader, HelloHeader, HoldBody, IdBody, LineHeader, MODE_SESSION, MODE_SIGNED, NameBody,
    PREFACE, ProblemHeader, SessionKeys, WelcomeHeader, command_digest, session_keys, session_tag,
};
use claw_sdk::Signer;
use x25519_dalek::{PublicKey, StaticSecret};
use zerocopy::{FromBytes as _, IntoBytes};

use crate::Node;

/// Longest wait for bytes: a busy machine, not a slow node.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clock, Unix milliseconds.
///
/// # Panics
/// When it is before 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the end of time")
}

/// A client's half of the protocol without a socket.
#[derive(Debug)]
pub struct Codec<'s> {
    /// The registered key.
    pub signer: &'s Signer,
    /// [`MODE_SIGNED`] or [`MODE_SESSION`].
    pub mode: u8,
    /// The client's session.
    pub session: [u8; 16],
    /// Number of the next frame.
    pub next_frame: u64,
    /// What frames say of their time.
    pub now_ms: u64,
    /// Its X25519 key.
    pub private: [u8; 32],
    /// The hello frame it sent.
    pub hello: Vec<u8>,
    /// The connection's name, as the welcome gave it.
    pub connection: [u8; 16],
    /// The session's keys, once there are some.
    pub keys: Option<SessionKeys>,
}

impl<'s> Codec<'s> {
    /// One that has said nothing.
    pub fn new(signer: &'s Signer, mode: u8, session: [u8; 16]) -> Self {
        let (hello, connection, keys) = (Vec::new(), [0; 16], None);
        // Any private key will do: what is secret is not what is tested.
        let private = [7; 32];
        let now_ms = now_ms();
        Self { signer, mode, session, next_frame: 0, now_ms, private, hello, connection, keys }
    }

    fn hmac(&self) -> bool {
        self.signer.algorithm() == "hmac-sha256"
    }

    fn header(&self, kind: u8, count: usize, lengths: (usize, usize)) -> FrameHeader {
        let (payload, tag) = lengths;
        let length = size_of::<FrameHeader>() + payload + tag;
        FrameHeader {
            length_bytes: u32::try_from(length).expect("small").into(),
            kind,
            tag_bytes: u8::try_from(tag).expect("small"),
            count: u16::try_from(count).expect("small").into(),
            sequence: self.next_frame.into(),
            created_ms: self.now_ms.into(),
        }
    }

    /// Preface and hello.
    pub fn hello(&mut self) -> Vec<u8> {
        let name = self.signer.keyid().as_bytes();
        let public = PublicKey::from(&StaticSecret::from(self.private)).to_bytes();
        let hello = HelloHeader {
            mode: self.mode,
            algorithm: if self.hmac() { ALGORITHM_HMAC_SHA256 } else { ALGORITHM_ED25519 },
            key_name_bytes: u8::try_from(name.len()).expect("a key's name is short"),
            reserved: [0; 5],
            session: self.session,
            ephemeral: if self.mode == MODE_SESSION { public } else { [0; 32] },
        };
        let payload = [hello.as_bytes(), name].concat();
        let tag_bytes = if self.hmac() { 32 } else { 64 };
        let header = self.header(FRAME_HELLO, 0, (payload.len(), tag_bytes));
        let frame = [header.as_bytes(), &payload].concat();
        let tag = self.signer.tag(&[&DOMAIN_HELLO, &PREFACE[..], &frame].concat());
        self.hello = [&frame, tag.as_bytes()].concat();
        self.next_frame += 1;
        [&PREFACE[..], &self.hello].concat()
    }

    /// Takes the welcome, whole, and checks its tag.
    ///
    /// # Panics
    /// When it is none.
    pub fn welcomed(&mut self, frame: &[u8]) -> WelcomeHeader {
        let (header, payload) = FrameHeader::read_from_prefix(frame).expect("a frame");
        assert_eq!(header.kind, claw_common::wire::FRAME_WELCOME);
        let (welcome, _) = WelcomeHeader::read_from_prefix(payload).expect("a welcome");
        self.connection = welcome.connection;
        if self.mode == MODE_SIGNED {
            return welcome;
        }
        let (untagged, tag) = frame.split_at(frame.len() - usize::from(header.tag_bytes));
        let theirs = PublicKey::from(welcome.ephemeral);
        let secret = StaticSecret::from(self.private).diffie_hellman(&theirs);
        let transcript = blake3_parts(&[&self.hello, untagged]);
        let mut proof = [0; 32];
        if self.hmac() {
            let tag = self.signer.tag(&[&DOMAIN_PROOF[..], &transcript].concat());
            proof.copy_from_slice(tag.as_bytes());
        }
        let keys = session_keys(secret.as_bytes(), &proof, &transcript);
        assert_eq!(session_tag(&keys.server, untagged), tag, "the welcome's tag");
        self.keys = Some(keys);
        welcome
    }

    /// A commands frame, which takes the next number.
    pub fn frame(&mut self, commands: &[Vec<u8>]) -> Vec<u8> {
        let payload = commands.concat();
        let tag_bytes = if self.keys.is_some() || self.hmac() { 32 } else { 64 };
        let header = self.header(FRAME_COMMANDS, commands.len(), (payload.len(), tag_bytes));
        self.next_frame += 1;
        let frame = [header.as_bytes(), &payload].concat();
        if let Some(keys) = &self.keys {
            return [&frame[..], &session_tag(&keys.client, &frame)].concat();
        }
        let (session, connection) = (self.session, self.connection);
        let base = FrameBase { domain: DOMAIN_FRAME, session, connection, header };
        let digests: Vec<_> = commands.iter().map(|command| command_digest(command)).collect();
        let covered = if self.hmac() { payload } else { digests.concat() };
        let tag = self.signer.tag(&[base.as_bytes(), &covered].concat());
        [&frame[..], tag.as_bytes()].concat()
    }
}

/// An answer, its parts told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of the command.
    pub sequence: u64,
    /// Status over HTTP.
    pub status: u16,
    /// Place in the log.
    pub position: u64,
    /// Name of the problem; empty for none.
    pub problem: String,
    /// Outcome or problem.
    pub body: Vec<u8>,
}

/// One connection to a node.
#[derive(Debug)]
pub struct Frames<'s> {
    /// The client's half.
    pub codec: Codec<'s>,
    /// What the node said first.
    pub welcome: WelcomeHeader,
    /// The socket.
    pub stream: TcpStream,
    /// What came and is not read yet.
    pub received: Vec<u8>,
}

impl<'s> Frames<'s> {
    /// Connects and says hello.
    ///
    /// # Panics
    /// When the node does not say welcome.
    pub fn connect(node: &Node, codec: Codec<'s>) -> Self {
        Self::try_connect(node, codec).unwrap_or_else(|problem| panic!("refused: {problem}"))
    }

    /// The same, or the name of the problem that the node closed with.
    ///
    /// # Errors
    /// The name of the problem.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn try_connect(node: &Node, mut codec: Codec<'s>) -> Result<Self, String> {
        let stream = open(node);
        let hello = codec.hello();
        let welcome = WelcomeHeader::read_from_bytes(&[0; 80]).expect("80 bytes");
        let mut frames = Self { codec, welcome, stream, received: Vec::new() };
        frames.send(&hello);
        let frame = frames.read_frame().expect("the node answers");
        if frame[4] == claw_common::wire::FRAME_CLOSING {
            return Err(problem_name(&frame[24..]));
        }
        frames.welcome = frames.codec.welcomed(&frame);
        Ok(frames)
    }

    /// Sends bytes. That the node has hung up already is seen when its answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).ok();
    }

    /// Sends commands in one frame.
    pub fn ask(&mut self, commands: &[Vec<u8>]) {
        let frame = self.codec.frame(commands);
        self.send(&frame);
    }

    /// The next `count` answers, in the order of their commands.
    ///
    /// # Panics
    /// When the node closes before.
    pub fn answers(&mut self, count: usize) -> Vec<Answer> {
        let mut answers = Vec::new();
        while answers.len() < count {
            let frame = self.read_frame().expect("the node ended the connection");
            assert_eq!(
                frame[4],
                claw_common::wire::FRAME_ANSWERS,
                "{:?}",
                problem_name(&frame[24..])
            );
            answers.extend(read_answers(&frame));
        }
        answers.sort_by_key(|answer| answer.sequence);
        answers
    }

    /// Asks one thing.
    ///
    /// # Panics
    /// When the node closes before it answers.
    pub fn call(&mut self, command: Vec<u8>) -> Answer {
        self.ask(&[command]);
        self.answers(1).remove(0)
    }

    /// The name of the problem that the node ends the connection with.
    ///
    /// # Panics
    /// When it does not.
    pub fn closing(&mut self) -> String {
        loop {
            let frame = self.read_frame().expect("a closing frame before the end");
            if frame[4] == claw_common::wire::FRAME_CLOSING {
                assert!(self.read_frame().is_none(), "the closing frame is the last");
                return problem_name(&frame[24..]);
            }
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Panics
    /// When the connection ends within a frame, or the tag is wrong.
    pub fn read_frame(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) =
                self.received.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
                && let Ok(length) = usize::try_from(length)
                && self.received.len() >= length
            {
                let frame: Vec<u8> = self.received.drain(..length).collect();
                if let Some(keys) = &self.codec.keys {
                    let (untagged, tag) = frame.split_at(length - 32);
                    assert_eq!(session_tag(&keys.server, untagged), tag, "the node's tag");
                }
                return Some(frame);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    assert!(self.received.is_empty(), "the connection ended within a frame");
                    return None;
                }
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("waiting for the node: {error}"),
            }
        }
    }
}

/// A connection that has said nothing.
///
/// # Panics
/// When nobody listens.
pub fn open(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(node.authority()).expect("the node listens");
    stream.set_nodelay(true).expect("a TCP connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP connection");
    stream
}

/// The answers of a frame.
///
/// # Panics
/// When it is none.
pub fn read_answers(frame: &[u8]) -> Vec<Answer> {
    let (header, rest) = FrameHeader::read_from_prefix(frame).expect("a frame");
    let mut payload = &rest[..rest.len() - usize::from(header.tag_bytes)];
    let mut answers = Vec::new();
    for _ in 0..header.count.get() {
        let (answer, _) = AnswerHeader::read_from_prefix(payload).expect("an answer");
        let length = usize::try_from(answer.length_bytes.get()).expect("small");
        let body = &payload[size_of::<AnswerHeader>()..length];
        let refused = answer.kind == ANSWER_PROBLEM;
        answers.push(Answer {
            sequence: answer.sequence.get(),
            status: answer.status.get(),
            position: answer.position.get(),
            problem: if refused { problem_name(body) } else { String::new() },
            body: body.to_vec(),
        });
        payload = &payload[length..];
    }
    assert!(payload.is_empty(), "bytes follow the last answer");
    answers
}

fn problem_name(body: &[u8]) -> String {
    let (problem, rest) = ProblemHeader::read_from_prefix(body).expect("a problem");
    String::from_utf8_lossy(&rest[..usize::from(problem.name_bytes)]).into_owned()
}

/// A command of a kind and a number, with a body and extra members.
///
/// # Panics
/// When it is longer than a length can say.
pub fn command(kind: CommandKind, sequence: u64, body: &[u8], extra: &[u8]) -> Vec<u8> {
    let length = size_of::<CommandHeader>() + body.len() + extra.len();
    let header = CommandHeader {
        length_bytes: u32::try_from(length).expect("small").into(),
        kind: kind as u8,
        after_count: 0,
        flags: 0.into(),
        sequence: sequence.into(),
        extra_bytes: u32::try_from(extra.len()).expect("small").into(),
        reserved: 0.into(),
    };
    [header.as_bytes(), body, extra].concat()
}

/// A hold of `quantity` of one SKU.
///
/// # Panics
/// When a text is too long for its length.
pub fn hold(sequence: u64, session: &str, sku: &str, quantity: u32) -> Vec<u8> {
    let body = HoldBody {
        ttl_ms: 0.into(),
        session_bytes: u8::try_from(session.len()).expect("short"),
        reserved: 0,
        lines_count: 1.into(),
        reserved_tail: 0.into(),
    };
    let body = [body.as_bytes(), session.as_bytes(), &line(sku, quantity)].concat();
    command(CommandKind::CreateHold, sequence, &body, &[])
}

/// A line of a hold or checkout.
///
/// # Panics
/// When the SKU is too long for its length.
pub fn line(sku: &str, quantity: u32) -> Vec<u8> {
    let sku_bytes = u8::try_from(sku.len()).expect("short");
    let header = LineHeader { quantity: quantity.into(), sku_bytes, reserved: [0; 3] };
    [header.as_bytes(), sku.as_bytes()].concat()
}

/// A command that names a SKU, a code or a session.
///
/// # Panics
/// When the name is too long for its length.
pub fn by_name(kind: CommandKind, sequence: u64, name: &str) -> Vec<u8> {
    let name_bytes = u8::try_from(name.len()).expect("short");
    let body = NameBody { name_bytes, reserved: [0; 7] };
    command(kind, sequence, &[body.as_bytes(), name.as_bytes()].concat(), &[])
}

/// A command that names a cart, a hold or an order.
pub fn by_id(kind: CommandKind, sequence: u64, id: [u8; 16]) -> Vec<u8> {
    command(kind, sequence, IdBody { id }.as_bytes(), &[])
}

/// The id of the hold, order or cart that an outcome is about.
///
/// # Panics
/// When it is none.
pub fn id_of(outcome: &[u8]) -> [u8; 16] {
    let at = if outcome[0] == 6 { 2 } else { 1 };
    outcome[at..at + 16].try_into().expect("an outcome with an id")
}
