//! What TLS takes from memory in steady state: a record's plaintext on the way in, a sealed record
//! on the way out, both rustls' own, and nothing of ours.
//!
//! Its own test binary, because it counts with the process's allocator, and only while the server
//! works.

#![expect(clippy::unwrap_used, reason = "a test: whatever fails fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claw_dataplane::ingest::tls::{Session, identify};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const WARM_COUNT: usize = 100;
const COUNTED: u64 = 300;
/// One to open a record, one to seal one.
const ALLOCATIONS_PER_REQUEST_MAX: u64 = 2;

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

struct Pair {
    client: ClientConnection,
    server: Session,
    sent: Vec<u8>,
    answer: Vec<u8>,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let identity = identify(chain.as_bytes(), key.as_bytes()).unwrap();
        let mut pair = Self {
            client: ClientConnection::new(Arc::new(config), name).unwrap(),
            server: Session::new(identity, u64::MAX),
            sent: Vec::new(),
            answer: Vec::new(),
        };
        let mut established = false;
        while !established {
            let mut bytes = pair.client_says();
            established = pair.server.receive(&mut bytes, &mut |_| {}).established.is_some();
            pair.server.seal(&mut Vec::new(), &mut pair.sent);
            let mut rest = pair.sent.as_slice();
            while !rest.is_empty() {
                pair.client.read_tls(&mut rest).unwrap();
                pair.client.process_new_packets().unwrap();
            }
            pair.sent.clear();
        }
        pair
    }

    fn client_says(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// A request and its answer; how often the server took memory for them.
    fn exchange(&mut self) -> u64 {
        self.client.writer().write_all(&[7; 629]).unwrap();
        let mut bytes = self.client_says();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut opened_bytes = 0;
        self.server.receive(&mut bytes, &mut |opened| opened_bytes += opened.len());
        self.answer.resize(300, 7);
        self.sent.clear();
        self.server.seal(&mut self.answer, &mut self.sent);
        let taken = ALLOCATIONS.load(Ordering::Relaxed) - before;
        assert_eq!((opened_bytes, self.sent.len() > 300), (629, true));
        taken
    }
}

#[test]
fn records_take_memory_of_rustls_only_and_a_bounded_number_of_times() {
    let mut pair = Pair::new();
    for _ in 0..WARM_COUNT {
        pair.exchange();
    }
    let taken: u64 = (0..COUNTED).map(|_| pair.exchange()).sum();
    let per_request = taken.div_ceil(COUNTED);
    assert!(per_request <= ALLOCATIONS_PER_REQUEST_MAX, "{taken} for {COUNTED} requests");
    assert!(taken >= COUNTED, "fewer than the essay says: rustls opens in place now?");
}
