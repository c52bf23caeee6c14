//! Holds in batches take no memory in steady state, from a frame's bytes to the answers' bytes.
//!
//! Its own test binary, because it counts with the process's allocator. Everything on the way is
//! the real part; the ring and the device are not on it.

#![expect(clippy::unwrap_used, reason = "a test: whatever fails fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claw_common::id::{Position, ShardId};
use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;
use claw_common::wire::{MODE_SESSION, MODE_SIGNED, WelcomeHeader};
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::{Effect, Effects};
use claw_core::log::{BlockDraft, Opening as BlockOpening};
use claw_core::protocol::{CommandView, read_frame};
use claw_core::schema::{CompiledSchema, SchemaFile};
use claw_core::shard::{Capacities, Shard, ShardConfig};
use claw_dataplane::ingest::auth::{KeyEntry, KeyMaterial, Keyring};
use claw_dataplane::ingest::decode::Settings;
use claw_dataplane::ingest::http::{Flow, Timeouts};
use claw_dataplane::ingest::routes::Role;
use claw_dataplane::ingest::wire::answers::{Asked, welcome_frame};
use claw_dataplane::ingest::wire::decode::{Input, Scratch, decode};
use claw_dataplane::ingest::wire::{Answers, Event, Framing, Opening, Session};
use claw_sdk::Signer;
use claw_sdk::key::{generate_ed25519, generate_secret, parse_secret, public_of_pem};
use claw_tests::frames::{Codec, hold, read_answers};
use zerocopy::{FromBytes as _, IntoBytes as _};

const BATCH: u64 = 16;
const WARM_FRAMES: usize = 20;
const COUNTED_FRAMES: usize = 10;
const SETTINGS: Settings = Settings {
    shards_count: 1,
    hold_ttl_ms_default: 60_000,
    checkout_ttl_ms: 30_000,
    takes_payments: false,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Server {
    keyring: Keyring,
    schema: Arc<CompiledSchema>,
    session: Session,
    scratch: Scratch,
    answers: Answers,
    sent: Vec<u8>,
    shard: Shard,
    block: Vec<u8>,
    effects: Effects,
    now_ms: u64,
}

impl Server {
    fn new(keyring: Keyring, codec: &mut Codec<'_>) -> Self {
        let text = "[schema]\nversion = 1\n".to_owned();
        let schema = CompiledSchema::parse(&[SchemaFile { name: "schema.toml".to_owned(), text }]);
        let mut sent = Vec::new();
        let mut answers = Answers::default();
        let session = open(&keyring, codec, (&mut answers, &mut sent));
        let mut server = Self {
            keyring,
            schema: Arc::new(schema.unwrap()),
            session,
            scratch: Scratch::default(),
            answers,
            sent,
            shard: Shard::new(ShardConfig::new(ShardId(0), 1, Capacities::SMALL)),
            block: vec![0; 256 * 1024],
            effects: Effects::default(),
            now_ms: codec.now_ms,
        };
        let price = Money { amount: 900, currency: Currency::parse("EUR").unwrap() };
        let (sku, name, attributes, version_expected) = ("A", "n", "", None);
        let put = Command::PutProduct { sku, name, price, attributes, version_expected };
        let stock = Command::MoveStock { sku: "A", delta: 1_000_000, reason: "test" };
        for (number, command) in (1..).zip([put, stock]) {
            server.decide(command, CommandKey { key: [number; 16], digest: [number; 16] }, 0);
        }
        server.answers.seal(&mut server.sent);
        server
    }

    /// Decides in a block of its own, and writes the answer.
    fn decide(&mut self, command: Command<'_>, identity: CommandKey, number: u64) {
        let request = Request {
            command,
            identity,
            reply_to: ReplyTo(0),
            key: 1,
            auth_mode: AuthMode::Session,
            accepted: Hlc(0),
            entropy: u64::from_le_bytes(identity.key[..8].try_into().unwrap()),
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        };
        self.effects.clear();
        let opening = BlockOpening {
            shard: ShardId(0),
            sequence_last: self.shard.sequence(),
            schema_version: 1,
            vector: &[0],
        };
        let mut draft = BlockDraft::open(&mut self.block, &opening);
        let mut journal = draft.journal(&mut self.block);
        self.shard.decide(&request, self.now_ms, &mut journal, &mut self.effects);
        let Some(&Effect::Reply { outcome, sequence, .. }) = self.effects.list().first() else {
            panic!("a command of one shard is answered at once")
        };
        let position = Position { shard: ShardId(0), sequence };
        let now_ms = self.now_ms;
        let asked = Asked { sequence: number, checkout: false, waited: false, now_ms };
        let outcome = self.effects.bytes(outcome);
        self.answers.outcome(&mut self.sent, asked, outcome, position).unwrap();
    }

    /// Takes received bytes as the node does; the answers' frame is in `sent` then.
    fn serve(&mut self, framing: &mut Framing, bytes: &[u8]) {
        self.sent.clear();
        framing.ingest(bytes, self.now_ms, &mut |event| {
            match event {
                Event::Frame(frame) => {
                    self.session.admit(frame, &self.keyring, self.now_ms).unwrap();
                }
                Event::Command(bytes, place) => self.take(bytes, place),
                Event::Refused(problem) => panic!("{problem:?}"),
            }
            Flow::Continue
        });
        self.answers.seal(&mut self.sent);
    }

    fn take(&mut self, bytes: &[u8], place: usize) {
        let view = CommandView::read(bytes).unwrap();
        let identity = self.session.identity(place);
        let schema = Arc::clone(&self.schema);
        let mut scratch = std::mem::take(&mut self.scratch);
        let (settings, now_ms) = (&SETTINGS, self.now_ms);
        let input = Input { command: &view, identity, schema: &schema, settings, now_ms };
        decode(&input, &mut scratch, |routed| {
            self.decide(routed.command, routed.identity, view.sequence);
        })
        .unwrap();
        self.scratch = scratch;
    }
}

fn open(keyring: &Keyring, codec: &mut Codec<'_>, ends: (&mut Answers, &mut Vec<u8>)) -> Session {
    let (answers, sent) = ends;
    let hello = codec.hello();
    let hello = read_frame(&hello[8..]).unwrap().unwrap();
    let (connection, private) = ([4; 16], [5; 32]);
    let opening = Opening { hello: &hello, keyring, now_ms: codec.now_ms, connection, private };
    let stranger = opening.admit().unwrap();
    let mut header = WelcomeHeader::read_from_bytes(&[0; 80]).unwrap();
    (header.connection, header.ephemeral) = (connection, stranger.ephemeral());
    let frame = welcome_frame(&[header.as_bytes()], stranger.tag_bytes(), codec.now_ms);
    let session = stranger.agree(keyring, &frame).unwrap();
    answers.welcome(sent, &frame, &session);
    codec.welcomed(sent);
    session
}

/// A keyring with one key, and its signer.
fn key(ed25519: bool) -> (Keyring, Signer) {
    let (material, signer) = if ed25519 {
        let pem = generate_ed25519().unwrap().pem;
        let material = KeyMaterial::Ed25519(public_of_pem(&pem).unwrap());
        (material, Signer::ed25519("front", &pem).unwrap())
    } else {
        let secret = generate_secret().unwrap();
        let material = KeyMaterial::Hmac(*parse_secret(&secret).unwrap());
        (material, Signer::hmac("front", &secret).unwrap())
    };
    let (name, role) = ("front", Role::Storefront);
    let mut keyring = Keyring::default();
    keyring.put(&KeyEntry { number: 1, name, role, material, revoked: false }).unwrap();
    (keyring, signer)
}

#[test]
fn batched_holds_over_the_wire_take_no_memory_once_warm() {
    for (ed25519, mode) in
        [(false, MODE_SESSION), (false, MODE_SIGNED), (true, MODE_SESSION), (true, MODE_SIGNED)]
    {
        let (keyring, signer) = key(ed25519);
        let mut codec = Codec::new(&signer, mode, [3; 16]);
        let mut server = Server::new(keyring, &mut codec);
        let frames: Vec<Vec<u8>> = (0..WARM_FRAMES + COUNTED_FRAMES)
            .map(|frame| {
                let first = 1 + u64::try_from(frame).unwrap() * BATCH;
                let holds: Vec<_> =
                    (first..first + BATCH).map(|n| hold(n, "session", "A", 1)).collect();
                codec.frame(&holds)
            })
            .collect();
        let mut framing = Framing::new(server.now_ms, Timeouts::default());
        server.serve(&mut framing, &[1, 0, 0, 0]);
        for frame in &frames[..WARM_FRAMES] {
            // In two pieces: what is incomplete is kept in memory that is used again.
            let (front, back) = frame.split_at(100);
            server.serve(&mut framing, front);
            server.serve(&mut framing, back);
        }
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        assert!(before > 0, "the allocator counts");
        for (number, frame) in frames[WARM_FRAMES..].iter().enumerate() {
            let cut = if number % 2 == 0 { 0 } else { 100 };
            server.serve(&mut framing, &frame[..cut]);
            server.serve(&mut framing, &frame[cut..]);
        }
        let taken = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!(taken, 0, "ed25519 {ed25519}, mode {mode}");
        let answers = read_answers(&server.sent);
        assert_eq!(answers.len(), usize::try_from(BATCH).unwrap());
        assert!(answers.iter().all(|answer| answer.status == 201));
    }
}
