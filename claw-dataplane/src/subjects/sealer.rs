//! A core's sealer: a command with personal members goes in, the same command with them sealed
//! comes out.
//!
//! Owns the keys in force on the core, a few of them kept ready, and the room for what is sealed.
//! Whose data it is follows from the command: its session, the cart or hold it names, or the
//! subject that the store declared for an event of its own. With the members go what would betray
//! them: the digest of the body becomes a keyed one, and the evidence of an ed25519 signature,
//! which has a digest of the body in it, is sealed too. A command without personal members is
//! handed back as it came, nothing copied.
//!
//! Never lets a member through in the clear: what cannot be sealed is refused.

use std::sync::Arc;

use claw_common::id::Id;
use claw_core::command::{Command, CommandKey};
use claw_core::schema::{BuiltIn, CompiledSchema, Fields};
use serde_json::{Map, Value};

use super::envelope::{Place, Purpose, SEALED_PREFIX, seal, seal_json};
use super::error::SealError;
use super::keys::{Subject, SubjectKey, SubjectKeys};
use super::members;

/// Keys kept ready, each in the one place that its address has.
const KEYS_READY_MAX: usize = 1024;

/// The parts of a request that can carry personal data.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// What is asked.
    pub command: Command<'a>,
    /// The store's own members as canonical JSON; empty for none.
    pub extra: &'a [u8],
    /// The command's identity.
    pub identity: CommandKey,
    /// For ed25519 the signature and its base; else empty.
    pub evidence: &'a [u8],
}

/// See the module.
#[derive(Debug)]
pub struct Sealer {
    keys: Arc<SubjectKeys>,
    schema: Arc<CompiledSchema>,
    /// Which built-in events may have personal extras.
    personal: Vec<bool>,
    ready: Vec<Option<SubjectKey>>,
    room: Room,
}

/// Where sealed parts stand until the command was sent on.
#[derive(Debug, Default)]
struct Room {
    ship_to: Vec<u8>,
    members: Vec<u8>,
    evidence: Vec<u8>,
}

impl Sealer {
    /// A sealer for a store's schema.
    pub fn new(keys: Arc<SubjectKeys>, schema: Arc<CompiledSchema>) -> Self {
        let marked = |event: &BuiltIn| schema.extra_type(*event).fields.hold_personal();
        let personal = BuiltIn::ALL.iter().map(marked).collect();
        let ready = (0..KEYS_READY_MAX).map(|_| None).collect();
        Self { keys, schema, personal, ready, room: Room::default() }
    }

    /// Seals with these keys from now on, and forgets those kept ready.
    pub fn use_keys(&mut self, keys: Arc<SubjectKeys>) {
        self.keys = keys;
        self.ready.fill_with(|| None);
    }

    /// Seals what is personal.
    pub fn seal<'a>(&'a mut self, carried: Carried<'a>) -> Result<Carried<'a>, SealError> {
        let Some(found) = self.find(&carried) else { return Ok(carried) };
        let address = found.address.ok_or(SealError::NoKey)?;
        let Self { keys, schema, ready, room, .. } = self;
        let key = ready_key(ready, keys, address)?;
        let mut sealed = carried;
        if !carried.evidence.is_empty() {
            room.evidence.clear();
            room.evidence.extend_from_slice(SEALED_PREFIX.as_bytes());
            let place = Place { purpose: Purpose::Evidence, member: "" };
            seal(key, place, carried.evidence, &mut room.evidence)?;
            sealed.evidence = &room.evidence;
        }
        sealed.identity.digest = key.digest(&carried.identity.digest);
        let has_members = found.members.is_some();
        if let Some(members) = found.members {
            room.members.clear();
            let declared = declared(schema, &carried.command);
            let declared = declared.expect("members were found in it");
            members::seal(key, found.purpose, declared, &members, &mut room.members)?;
        }
        if let Command::RecordEvent { members, .. } = &mut sealed.command {
            *members = std::str::from_utf8(&room.members).expect("JSON is text");
            return Ok(sealed);
        }
        if has_members {
            sealed.extra = &room.members;
        }
        if let Command::Checkout { ship_to, .. } = &mut sealed.command
            && !ship_to.is_empty()
        {
            room.ship_to.clear();
            let place = Place { purpose: found.purpose, member: "ship_to" };
            seal_json(key, place, ship_to.as_bytes(), &mut room.ship_to)?;
            *ship_to = std::str::from_utf8(&room.ship_to).expect("base64 in quotes");
        }
        Ok(sealed)
    }

    /// What is personal in a command; `None` for nothing.
    fn find(&self, carried: &Carried<'_>) -> Option<Personal> {
        if let Command::RecordEvent { name, members, .. } = carried.command {
            return self.find_own(name, members);
        }
        let (event, subject) = subject_of(&carried.command)?;
        let ship_to =
            matches!(carried.command, Command::Checkout { ship_to, .. } if !ship_to.is_empty());
        let members = self.personal[event.index()]
            .then(|| personal_members(&self.schema.extra_type(event).fields, carried.extra))
            .flatten();
        (ship_to || members.is_some()).then(|| Personal {
            address: self.keys.address_now(&subject),
            purpose: Purpose::of(event).expect("what has a subject has a purpose"),
            members,
        })
    }

    /// The same in an event that the store declared.
    fn find_own(&self, name: &str, members: &str) -> Option<Personal> {
        let declared = self.schema.own_event(name).expect("ingest found it");
        let members = personal_members(&declared.fields, members.as_bytes())?;
        let about = declared.subject.as_ref().and_then(|subject| members.get(subject));
        let about = about.and_then(Value::as_str).expect("the schema requires a subject");
        let subject = Id::parse(about).map_or(Subject::Person(about), Subject::Thing);
        Some(Personal {
            address: self.keys.address_now(&subject),
            purpose: Purpose::Own,
            members: Some(members),
        })
    }
}

/// What is personal in a command.
struct Personal {
    /// The leaf of whom it is about; `None` when that one has no key.
    address: Option<u64>,
    purpose: Purpose,
    /// All members, where one of them is personal.
    members: Option<Map<String, Value>>,
}

/// The members of a document, where one of them is personal.
fn personal_members(fields: &Fields, document: &[u8]) -> Option<Map<String, Value>> {
    if document.is_empty() || !fields.hold_personal() {
        return None;
    }
    let members: Map<String, Value> =
        serde_json::from_slice(document).expect("ingest wrote canonical JSON");
    members::hold_personal(fields, &members).then_some(members)
}

/// The type that a command's members belong to, its name empty for built-in ones.
fn declared<'s>(
    schema: &'s CompiledSchema,
    command: &Command<'_>,
) -> Option<(&'s str, &'s Fields)> {
    if let Command::RecordEvent { name, .. } = command {
        return schema.own_event(name).map(|own| (own.name.as_str(), &own.fields));
    }
    let (event, _) = subject_of(command)?;
    Some(("", &schema.extra_type(event).fields))
}

/// The event a command's members belong to, and whom they are about. `None` where a schema cannot
/// declare personal members, and for events that a store declared.
fn subject_of<'a>(command: &Command<'a>) -> Option<(BuiltIn, Subject<'a>)> {
    Some(match *command {
        Command::CreateCart { session } => (BuiltIn::CartCreated, Subject::Person(session)),
        Command::SetCartItem { cart, .. } => (BuiltIn::CartChanged, Subject::Thing(cart)),
        Command::CreateHold { session, .. } | Command::JoinLine { session, .. } => {
            (BuiltIn::HoldGranted, Subject::Person(session))
        }
        Command::ExtendHold { hold, .. } => (BuiltIn::HoldExtended, Subject::Thing(hold)),
        Command::Checkout { session, .. } => (BuiltIn::OrderStarted, Subject::Person(session)),
        _ => return None,
    })
}

/// The key of a leaf, from its place or made now.
fn ready_key<'r>(
    ready: &'r mut [Option<SubjectKey>],
    keys: &SubjectKeys,
    address: u64,
) -> Result<&'r SubjectKey, SealError> {
    let places = u64::try_from(ready.len()).expect("a length fits");
    let place = usize::try_from(address % places).expect("below the length");
    let place = &mut ready[place];
    if place.as_ref().is_none_or(|key| key.address != address) {
        *place = keys.key(address)?;
    }
    place.as_ref().ok_or(SealError::NoKey)
}
