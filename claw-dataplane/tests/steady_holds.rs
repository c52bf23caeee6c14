//! A hold in steady state takes no memory, from the request's bytes to the answer's.
//!
//! Its own test binary, because it counts with the process's allocator. Everything on the way is
//! the real part; the ring and the device are not on it.

#![expect(clippy::unwrap_used, reason = "a test: whatever fails fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use claw_common::id::{Position, ShardId};
use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::{Effect, Effects};
use claw_core::log::{BlockDraft, Opening};
use claw_core::schema::{CompiledSchema, SchemaFile};
use claw_core::shard::{Capacities, Shard, ShardConfig};
use claw_dataplane::ingest::auth::{KeyEntry, KeyMaterial, Keyring, Verifier};
use claw_dataplane::ingest::decode::{Input, Scratch, Settings, decode};
use claw_dataplane::ingest::http::{Connection, Event, Flow, Timeouts};
use claw_dataplane::ingest::render::{Renderer, ReplyContext};
use claw_dataplane::ingest::routes::{Role, Routing, find_route};
use claw_sdk::key::{Signer, generate_secret, parse_secret};
use claw_sdk::signature::sign::RequestParts;

const NOW_MS: u64 = 1_800_000_000_000;
const WARM_COUNT: usize = 300;
const COUNTED: usize = 300;
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

struct Node {
    keyring: Keyring,
    verifier: Option<Verifier>,
    scratch: Scratch,
    renderer: Renderer,
    shard: Shard,
    block: Vec<u8>,
    effects: Effects,
    answer: Vec<u8>,
}

impl Node {
    fn new(secret: &str) -> Self {
        let mut keyring = Keyring::default();
        let front = KeyEntry {
            number: 1,
            name: "front",
            role: Role::Storefront,
            material: KeyMaterial::Hmac(*parse_secret(secret).unwrap()),
            revoked: false,
        };
        keyring.put(&front).unwrap();
        let mut node = Self {
            keyring,
            verifier: Some(Verifier::default()),
            scratch: Scratch::default(),
            renderer: Renderer::default(),
            shard: Shard::new(ShardConfig::new(ShardId(0), 1, Capacities::SMALL)),
            block: vec![0; 256 * 1024],
            effects: Effects::default(),
            answer: Vec::new(),
        };
        let price = Money { amount: 900, currency: Currency::parse("EUR").unwrap() };
        let put = Command::PutProduct {
            sku: "A",
            name: "n",
            price,
            attributes: "",
            version_expected: None,
        };
        node.decide(put, CommandKey { key: [1; 16], digest: [1; 16] });
        let stock = Command::MoveStock { sku: "A", delta: 1_000_000, reason: "test" };
        node.decide(stock, CommandKey { key: [2; 16], digest: [2; 16] });
        node
    }

    /// Decides in a block of its own, and writes the answer.
    fn decide(&mut self, command: Command<'_>, identity: CommandKey) {
        let request = Request {
            command,
            identity,
            reply_to: ReplyTo(0),
            key: 1,
            auth_mode: AuthMode::HmacSha256,
            accepted: Hlc(0),
            entropy: u64::from_le_bytes(identity.key[..8].try_into().unwrap()),
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        };
        self.effects.clear();
        let opening = Opening {
            shard: ShardId(0),
            sequence_last: self.shard.sequence(),
            schema_version: 1,
            vector: &[0],
        };
        let mut draft = BlockDraft::open(&mut self.block, &opening);
        let mut journal = draft.journal(&mut self.block);
        self.shard.decide(&request, NOW_MS, &mut journal, &mut self.effects);
        let Some(&Effect::Reply { outcome, sequence, .. }) = self.effects.list().first() else {
            panic!("a command of one shard is answered at once")
        };
        self.answer.clear();
        let positions = [Position { shard: ShardId(0), sequence }];
        let outcome = self.effects.bytes(outcome);
        self.renderer
            .outcome(&mut self.answer, ReplyContext::default(), outcome, &positions)
            .unwrap();
    }

    fn serve(&mut self, schema: &CompiledSchema, connection: &mut Connection, bytes: &[u8]) {
        connection.ingest(bytes, NOW_MS, &mut |event| {
            let Event::Request(request) = event else { panic!("{event:?}") };
            let Routing::Found(matched) = find_route(request.method, request.path) else {
                panic!("holds have a route")
            };
            // Out of the node while it serves; an empty verifier in its place would take memory.
            let mut verifier = self.verifier.take().unwrap();
            let mut scratch = std::mem::take(&mut self.scratch);
            let keyring = std::mem::take(&mut self.keyring);
            let caller = verifier.authenticate(&keyring, request, NOW_MS).unwrap();
            let input = Input {
                request,
                matched,
                caller: &caller,
                schema,
                settings: &SETTINGS,
                now_ms: NOW_MS,
            };
            decode(&input, &mut scratch, |routed| self.decide(routed.command, routed.identity))
                .unwrap();
            (self.scratch, self.keyring) = (scratch, keyring);
            self.verifier = Some(verifier);
            Flow::Continue
        });
    }
}

fn signed_hold(signer: &Signer, number: usize) -> Vec<u8> {
    let key = format!("00000000-0000-4000-8000-{number:012}");
    let body =
        format!("{{\"session\":\"s{number}\",\"items\":[{{\"sku\":\"A\",\"quantity\":1}}]}}");
    let parts = RequestParts {
        method: "POST",
        authority: "127.0.0.1:7070",
        path: "/v1/holds",
        query: None,
        body: body.as_bytes(),
        idempotency_key: Some(&key),
    };
    let mut bytes = format!(
        "POST /v1/holds HTTP/1.1\r\nHost: 127.0.0.1:7070\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    signer.sign_into(&mut bytes, &parts, NOW_MS / 1000);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

#[test]
fn hold_takes_no_memory_once_warm() {
    let secret = generate_secret().unwrap();
    let signer = Signer::hmac("front", &secret).unwrap();
    let requests: Vec<_> =
        (0..WARM_COUNT + COUNTED).map(|number| signed_hold(&signer, number)).collect();
    let text = "[schema]\nversion = 1\n".to_owned();
    let file = SchemaFile { name: "schema.toml".to_owned(), text };
    let schema = CompiledSchema::parse(&[file]).unwrap();
    let mut node = Node::new(&secret);
    let mut connection = Connection::new(NOW_MS, Timeouts::default());
    for request in &requests[..WARM_COUNT] {
        node.serve(&schema, &mut connection, request);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(before > 0, "the allocator counts");
    for request in &requests[WARM_COUNT..] {
        node.serve(&schema, &mut connection, request);
        assert!(node.answer.starts_with(b"HTTP/1.1 201 Created"));
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
}
