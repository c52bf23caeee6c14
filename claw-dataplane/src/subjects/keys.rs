//! The keys of all subjects of a store: which leaf is whose, and which are gone.
//!
//! Owns the way from a subject's name to its key, the list of what was forgotten, and the bytes of
//! both. An address is a keyed hash of the name, so that the addresses in the log cannot be guessed
//! at, and a shopper who chooses a session's name cannot aim at another's leaf. Does not touch a
//! disk: [`super::file`] does.
//!
//! ```text
//!  "CLAWSUBJ" | version u32 | nodes u32 | forgotten u32 | 0 u32 | store id 16 | address key 32
//!  | nodes: start u64, depth u64, seed 32
//!  | forgotten: subject 16, at_ms u64, keys u32, length of by u32, by
//!  | BLAKE3 of all before
//! ```
//! Numbers are little-endian.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use claw_common::id::Id;
use claw_common::time::UnixMs;
use zeroize::{Zeroize as _, Zeroizing};

use super::error::SealError;
use super::tree::{Node, Seed, SeedTree};

const MAGIC: &[u8; 8] = b"CLAWSUBJ";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;
/// How often one subject may be forgotten and come back.
const GENERATIONS_MAX: u32 = 64;

/// Whom data is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A shopper's session, or the member that a store named as subject.
    Person(&'a str),
    /// A cart, hold or order, where a request names nothing else.
    Thing(Id),
}

impl Subject<'_> {
    fn write(&self, hasher: &mut blake3::Hasher) {
        match self {
            Self::Person(name) => hasher.update(&[1]).update(name.as_bytes()),
            Self::Thing(id) => hasher.update(&[2]).update(&id.0),
        };
    }
}

/// Longest name of who asked to forget, bytes.
pub const BY_BYTES_MAX: usize = 64;

/// What the log says of a forgotten subject: its name's BLAKE3, cut to 16 bytes.
pub fn subject_digest(name: &str) -> [u8; 16] {
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes()[..16].try_into().expect("16 of 32 bytes")
}

/// A subject that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// See [`subject_digest`].
    pub subject: [u8; 16],
    /// When.
    pub at_ms: UnixMs,
    /// How many keys were destroyed.
    pub keys_count: u32,
    /// Who asked for it, as they named themselves.
    pub by: String,
}

/// A subject's key of one generation, ready for use.
#[derive(Debug)]
pub(super) struct SubjectKey {
    /// Its leaf.
    pub(super) address: u64,
    /// Bound to every text that is sealed.
    pub(super) store_id: [u8; 16],
    pub(super) cipher: RandomizedNonceKey,
    /// For digests that nobody can guess at once the key is gone.
    digests: DigestKey,
}

struct DigestKey(Seed);

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

impl SubjectKey {
    fn of_leaf(leaf: &Seed, address: u64, store_id: [u8; 16]) -> Result<Self, SealError> {
        let seal = Zeroizing::new(*blake3::keyed_hash(leaf, b"seal").as_bytes());
        let digests = DigestKey(Zeroizing::new(*blake3::keyed_hash(leaf, b"body").as_bytes()));
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &*seal);
        let cipher = cipher.ok().ok_or(SealError::Cipher)?;
        Ok(Self { address, store_id, cipher, digests })
    }

    /// The digest of a body with personal members, in place of the plain one.
    pub(super) fn digest(&self, plain: &[u8; 16]) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.digests.0, plain);
        hash.as_bytes()[..16].try_into().expect("16 of 32 bytes")
    }
}

/// See the module.
#[derive(Clone)]
pub struct SubjectKeys {
    store_id: [u8; 16],
    address_key: Seed,
    tree: SeedTree,
    forgotten: Vec<Forgotten>,
}

impl SubjectKeys {
    /// Keys for a new store from 64 random bytes.
    pub fn new(store_id: [u8; 16], randomness: &Zeroizing<[u8; 64]>) -> Self {
        let (address_key, root) = randomness.split_at(32);
        Self {
            store_id,
            address_key: Zeroizing::new(address_key.try_into().expect("32 of 64 bytes")),
            tree: SeedTree::new(root.try_into().expect("32 of 64 bytes")),
            forgotten: Vec::new(),
        }
    }

    /// Whose they are.
    pub const fn store_id(&self) -> [u8; 16] {
        self.store_id
    }

    /// What was forgotten, oldest first: number 1 is at place 0.
    pub fn forgotten(&self) -> &[Forgotten] {
        &self.forgotten
    }

    /// Nodes kept: what the file's size comes from.
    pub fn nodes_count(&self) -> usize {
        self.tree.nodes().len()
    }

    fn address(&self, subject: &Subject<'_>, generation: u32) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.address_key);
        hasher.update(&generation.to_le_bytes());
        subject.write(&mut hasher);
        let hash = hasher.finalize();
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 of 32 bytes"))
    }

    /// The leaf that a subject's data is sealed with now; `None` when it was forgotten
    /// [`GENERATIONS_MAX`] times.
    pub fn address_now(&self, subject: &Subject<'_>) -> Option<u64> {
        let mut addresses = (0..GENERATIONS_MAX).map(|at| self.address(subject, at));
        addresses.find(|address| self.tree.reaches(*address))
    }

    /// Every leaf a subject has had, the present one last.
    pub fn addresses(&self, subject: &Subject<'_>) -> Vec<u64> {
        let mut found = Vec::new();
        for generation in 0..GENERATIONS_MAX {
            let address = self.address(subject, generation);
            found.push(address);
            if self.tree.reaches(address) {
                break;
            }
        }
        found
    }

    /// Whether what was sealed with this leaf can be opened.
    pub fn reaches(&self, address: u64) -> bool {
        self.tree.reaches(address)
    }

    /// The key of a leaf; `None` once it was forgotten.
    pub(super) fn key(&self, address: u64) -> Result<Option<SubjectKey>, SealError> {
        let Some(leaf) = self.tree.leaf(address) else { return Ok(None) };
        SubjectKey::of_leaf(&leaf, address, self.store_id).map(Some)
    }

    /// Destroys the keys of these leaves, and notes whose they were.
    pub fn forget(&mut self, addresses: &[u64], note: Forgotten) -> u32 {
        let gone = addresses.iter().filter(|address| self.tree.forget(**address)).count();
        let keys_count = u32::try_from(gone).expect("addresses fit memory");
        self.forgotten.push(Forgotten { keys_count, ..note });
        keys_count
    }

    /// The file's bytes.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::new());
        let count = |count: usize| u32::try_from(count).expect("a file fits").to_le_bytes();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&count(self.tree.nodes().len()));
        out.extend_from_slice(&count(self.forgotten.len()));
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&*self.address_key);
        for node in self.tree.nodes() {
            out.extend_from_slice(&node.start.to_le_bytes());
            out.extend_from_slice(&u64::from(node.depth).to_le_bytes());
            out.extend_from_slice(&*node.seed);
        }
        for forgotten in &self.forgotten {
            out.extend_from_slice(&forgotten.subject);
            out.extend_from_slice(&forgotten.at_ms.to_le_bytes());
            out.extend_from_slice(&forgotten.keys_count.to_le_bytes());
            out.extend_from_slice(&count(forgotten.by.len()));
            out.extend_from_slice(forgotten.by.as_bytes());
        }
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// Keys from a file's bytes, or what is wrong with them.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let body = bytes.len().checked_sub(HASH_BYTES).ok_or("too short")?;
        let (body, hash) = bytes.split_at(body);
        if blake3::hash(body).as_bytes() != hash {
            return Err("its checksum does not fit");
        }
        let mut rest = Rest(body);
        if rest.take(MAGIC.len())? != MAGIC || rest.u32()? != VERSION {
            return Err("of a version unknown here");
        }
        let (nodes_count, forgotten_count) = (rest.u32()?, rest.u32()?);
        rest.take(4)?;
        let store_id = rest.array()?;
        let address_key = Zeroizing::new(rest.array()?);
        let nodes = (0..nodes_count).map(|_| rest.node()).collect::<Result<_, _>>()?;
        let tree = SeedTree::of_nodes(nodes).ok_or("its nodes overlap")?;
        let notes = (0..forgotten_count).map(|_| rest.forgotten());
        let forgotten = notes.collect::<Result<_, _>>()?;
        if !rest.0.is_empty() {
            return Err("longer than it says");
        }
        Ok(Self { store_id, address_key, tree, forgotten })
    }
}

/// Secrets are not shown.
impl fmt::Debug for SubjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectKeys")
            .field("tree", &self.tree)
            .field("forgotten", &self.forgotten.len())
            .finish_non_exhaustive()
    }
}

/// Bytes not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("shorter than it says")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        Ok(self.take(N)?.try_into().expect("as many as were taken"))
    }

    fn node(&mut self) -> Result<Node, &'static str> {
        let (start, depth) = (self.u64()?, self.u64()?);
        let depth = u8::try_from(depth).ok().ok_or("a node too deep")?;
        Ok(Node { start, depth, seed: Zeroizing::new(self.array()?) })
    }

    fn forgotten(&mut self) -> Result<Forgotten, &'static str> {
        let (subject, at_ms, keys_count) = (self.array()?, self.u64()?, self.u32()?);
        let length = usize::try_from(self.u32()?).ok().ok_or("a name too long")?;
        let by = std::str::from_utf8(self.take(length)?).ok().ok_or("a name is no text")?;
        Ok(Forgotten { subject, at_ms, keys_count, by: by.to_owned() })
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Overwrites what was read from a file before it is freed.
pub(super) fn decode_and_wipe(mut bytes: Vec<u8>) -> Result<SubjectKeys, &'static str> {
    let keys = SubjectKeys::decode(&bytes);
    bytes.zeroize();
    keys
}
