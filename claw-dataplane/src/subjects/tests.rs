//! Sealing, opening, forgetting: what must hold whatever the names, values and moments.

use std::fs;
use std::sync::Arc;

use claw_common::id::Id;
use claw_core::command::{Basket, Command, CommandKey};
use claw_core::lines::{Lines, LinesBuffer};
use claw_core::schema::{CompiledSchema, SchemaFile};
use claw_core::shard::event::EventKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::envelope::{Place, seal, seal_json};
use super::file::{self, Origin};
use super::{
    Carried, Envelope, Forgotten, Purpose, Reader, Revealed, SealError, Sealer, SeedTree, Subject,
    SubjectFileError, SubjectKeys, subject_digest,
};

const STORE: [u8; 16] = [7; 16];
const SCHEMA: &str = "[schema]\nversion = 1\n\
    [events.order-started.extra]\n\
    channel = { type = \"text\" }\n\
    gift_message = { type = \"text\", personal = true }\n\
    [events.cart-changed.extra]\n\
    engraving = { type = \"text\", personal = true }\n\
    [events.return-received]\nsubject = \"order_id\"\n\
    [events.return-received.fields]\n\
    order_id = { type = \"uuid\", required = true }\n\
    note = { type = \"text\", personal = true }\n";

fn keys() -> SubjectKeys {
    let mut randomness = Zeroizing::new([3; 64]);
    randomness[40] = 9;
    SubjectKeys::new(STORE, &randomness)
}

fn note(name: &str) -> Forgotten {
    let subject = subject_digest(name);
    Forgotten { subject, at_ms: 5, keys_count: 0, by: "ann".to_owned() }
}

fn forget(keys: &mut SubjectKeys, name: &str) -> u64 {
    let address = keys.address_now(&Subject::Person(name)).unwrap();
    assert_eq!(keys.forget(&[address], note(name)), 1);
    address
}

fn schema() -> Arc<CompiledSchema> {
    let file = SchemaFile { name: "s.toml".to_owned(), text: SCHEMA.to_owned() };
    Arc::new(CompiledSchema::parse(&[file]).unwrap())
}

fn checkout<'a>(session: &'a str, ship_to: &'a str, lines: Lines<'a>) -> Command<'a> {
    Command::Checkout {
        session,
        own_session_only: false,
        basket: Basket::Items(lines),
        coupon: None,
        ship_to,
        region: "",
        wait_until_ms: 0,
        ttl_ms: 1,
        payment: None,
    }
}

fn carried<'a>(command: Command<'a>, extra: &'a [u8], evidence: &'a [u8]) -> Carried<'a> {
    let identity = CommandKey { key: [1; 16], digest: [2; 16] };
    Carried { command, extra, identity, evidence }
}

proptest! {
    #[test]
    fn forgotten_leaves_are_gone_and_all_others_keep_their_secret(
        gone in prop::collection::vec(any::<u64>(), 1..12),
        others in prop::collection::vec(any::<u64>(), 1..12),
        near in 0_u32..64,
    ) {
        let whole = SeedTree::new([5; 32]);
        let mut tree = whole.clone();
        for (index, address) in gone.iter().enumerate() {
            let first = !gone[..index].contains(address);
            prop_assert_eq!(tree.reaches(*address), first);
            prop_assert_eq!(tree.forget(*address), first);
            prop_assert!(!tree.forget(*address), "twice");
        }
        let neighbours = gone.iter().map(|address| address ^ 1 << near);
        for address in others.into_iter().chain(neighbours) {
            let expected = whole.leaf(address).filter(|_| !gone.contains(&address));
            prop_assert_eq!(tree.leaf(address), expected);
        }
        for address in gone {
            prop_assert!(tree.leaf(address).is_none());
        }
    }

    #[test]
    fn keys_read_back_as_they_were_written_and_damage_is_found(
        names in prop::collection::vec("[a-z0-9]{1,8}", 0..6),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut keys = keys();
        for name in &names {
            forget(&mut keys, name);
        }
        let bytes = keys.encode();
        let back = SubjectKeys::decode(&bytes).unwrap();
        prop_assert_eq!(back.forgotten(), keys.forgotten());
        prop_assert_eq!(&*back.encode(), &*bytes);
        let mut damaged = bytes.to_vec();
        let at = flip.index(damaged.len());
        damaged[at] ^= 0x10;
        prop_assert!(SubjectKeys::decode(&damaged).is_err());
        prop_assert!(SubjectKeys::decode(&bytes[..at]).is_err());
    }

    #[test]
    fn sealed_value_opens_at_its_own_place_only(
        text in ".{0,200}",
        member in "[a-z_]{1,12}",
        flip in any::<prop::sample::Index>(),
    ) {
        let keys = keys();
        let address = keys.address_now(&Subject::Person("s-1")).unwrap();
        let key = keys.key(address).unwrap().unwrap();
        let value = Value::from(text);
        let place = Place { purpose: Purpose::OrderStarted, member: &member };
        let mut sealed = Vec::new();
        seal_json(&key, place, value.to_string().as_bytes(), &mut sealed).unwrap();
        let sealed: Value = serde_json::from_slice(&sealed).unwrap();
        let reader = Reader::open(keys.clone());
        let kind = EventKind::OrderCreated;
        prop_assert_eq!(reader.reveal(kind, &member, &sealed), Revealed::Open(value));
        prop_assert_eq!(reader.reveal(kind, "elsewhere!", &sealed), Revealed::Damaged);
        prop_assert_eq!(reader.reveal(EventKind::CartCreated, &member, &sealed), Revealed::Damaged);
        let other = SubjectKeys::new([8; 16], &Zeroizing::new([3; 64]));
        let strange = Reader::open(other).reveal(kind, &member, &sealed);
        prop_assert_eq!(strange, Revealed::Damaged);

        let mut raw = Vec::new();
        seal(&key, Place { purpose: Purpose::Evidence, member: "" }, b"signature", &mut raw).unwrap();
        let at = flip.index(raw.len());
        raw[at] ^= 1;
        let bytes = [super::SEALED_PREFIX.as_bytes(), &raw].concat();
        let found = Reader::open(keys).reveal_evidence(&bytes);
        prop_assert!(!matches!(found, Revealed::Open(_)), "bit {at}");
    }
}

#[test]
fn subject_that_comes_back_gets_another_key_and_the_old_stays_lost() {
    let mut keys = keys();
    let first = forget(&mut keys, "s-1");
    assert!(!keys.reaches(first));
    let second = keys.address_now(&Subject::Person("s-1")).unwrap();
    assert_ne!(first, second);
    assert_eq!(keys.addresses(&Subject::Person("s-1")), [first, second]);
    let other = keys.address_now(&Subject::Person("s-2")).unwrap();
    assert!(keys.key(other).unwrap().is_some(), "nobody else lost anything");
    assert_eq!(keys.forgotten().len(), 1);
    for _ in 1..64 {
        forget(&mut keys, "s-1");
    }
    assert_eq!(keys.address_now(&Subject::Person("s-1")), None);
}

#[test]
fn session_and_cart_of_the_same_name_are_two_subjects() {
    let keys = keys();
    let id = Id([b'a'; 16]);
    let name = "a".repeat(16);
    let person = keys.address_now(&Subject::Person(&name));
    assert_ne!(person, keys.address_now(&Subject::Thing(id)));
}

#[test]
fn personal_members_leave_sealed_and_all_else_as_it_came() {
    let mut sealer = Sealer::new(Arc::new(keys()), schema());
    let mut lines = LinesBuffer::default();
    lines.add("A", 1, 0).unwrap();
    let lines = lines.lines();
    let command = checkout("s-1", r#"{"name":"Ada"}"#, lines);
    let extra = br#"{"channel":"web","gift_message":"Dear Ada"}"#;
    let sealed = sealer.seal(carried(command, extra, &[9; 80])).unwrap();
    let Command::Checkout { ship_to, session, .. } = sealed.command else { panic!() };
    assert_eq!(session, "s-1");
    let all = [ship_to.as_bytes(), sealed.extra, sealed.evidence].concat();
    assert!(!String::from_utf8_lossy(&all).contains("Ada"));
    assert!(!all.windows(80).any(|window| window == [9; 80]));
    assert_eq!(sealed.identity.key, [1; 16]);
    assert_ne!(sealed.identity.digest, [2; 16], "a digest of the body would be guessed");

    let reader = Reader::open(keys());
    let (kind, ship_to): (_, Value) = (EventKind::OrderCreated, ship_to.parse().unwrap());
    assert_eq!(reader.reveal(kind, "ship_to", &ship_to), Revealed::Open(json!({"name": "Ada"})));
    let extra: Value = serde_json::from_slice(sealed.extra).unwrap();
    assert_eq!(extra["channel"], "web");
    assert_eq!(reader.document(kind, "", extra)["gift_message"], "Dear Ada");
    assert_eq!(reader.reveal_evidence(sealed.evidence), Revealed::Open(vec![9; 80]));
}

#[test]
fn command_without_personal_members_is_not_touched() {
    let mut sealer = Sealer::new(Arc::new(keys()), schema());
    let mut lines = LinesBuffer::default();
    lines.add("A", 1, 0).unwrap();
    let lines = lines.lines();
    let extra = br#"{"channel":"web"}"#;
    let asked = carried(checkout("s-1", "", lines), extra, &[9; 80]);
    let sealed = sealer.seal(asked).unwrap();
    assert_eq!(sealed.command, asked.command);
    assert_eq!((sealed.extra, sealed.evidence), (asked.extra, asked.evidence));
    assert_eq!(sealed.identity, asked.identity);
}

#[test]
fn repeat_of_a_body_has_the_same_digest_and_another_body_another() {
    let mut sealer = Sealer::new(Arc::new(keys()), schema());
    let mut lines = LinesBuffer::default();
    lines.add("A", 1, 0).unwrap();
    let lines = lines.lines();
    let mut digest = |plain: [u8; 16], session: &str| {
        let asked = carried(checkout(session, "{}", lines), b"", b"");
        let identity = CommandKey { digest: plain, ..asked.identity };
        sealer.seal(Carried { identity, ..asked }).unwrap().identity.digest
    };
    assert_eq!(digest([2; 16], "s-1"), digest([2; 16], "s-1"));
    assert_ne!(digest([2; 16], "s-1"), digest([3; 16], "s-1"));
    assert_ne!(digest([2; 16], "s-1"), digest([2; 16], "s-2"));
}

#[test]
fn sealer_with_new_keys_uses_none_that_it_kept_ready() {
    let mut all = keys();
    let mut sealer = Sealer::new(Arc::new(all.clone()), schema());
    let cart = Command::SetCartItem {
        cart: Id([4; 16]),
        session: None,
        sku: "A",
        quantity: 1,
        price: None,
    };
    let extra = br#"{"engraving":"A+B"}"#;
    let address = |sealer: &mut Sealer| {
        let sealed = sealer.seal(carried(cart, extra, b"")).unwrap();
        let document: Value = serde_json::from_slice(sealed.extra).unwrap();
        Envelope::of_text(document["engraving"].as_str().unwrap()).unwrap().address()
    };
    let before = address(&mut sealer);
    assert_eq!(address(&mut sealer), before, "one subject, one key");
    assert_eq!(Some(before), all.address_now(&Subject::Thing(Id([4; 16]))));
    all.forget(&[before], note("cart"));
    sealer.use_keys(Arc::new(all.clone()));
    assert_ne!(address(&mut sealer), before);
    for _ in 1..64 {
        let now = all.address_now(&Subject::Thing(Id([4; 16]))).unwrap();
        all.forget(&[now], note("cart"));
    }
    sealer.use_keys(Arc::new(all));
    let refused = sealer.seal(carried(cart, extra, b"")).err();
    assert_eq!(refused, Some(SealError::NoKey), "never in the clear");
}

#[test]
fn forgotten_value_is_told_from_a_sealed_one() {
    let mut keys = keys();
    let address = keys.address_now(&Subject::Person("s")).unwrap();
    let key = keys.key(address).unwrap().unwrap();
    let place = Place { purpose: Purpose::OrderStarted, member: "ship_to" };
    let mut sealed = Vec::new();
    seal_json(&key, place, b"{}", &mut sealed).unwrap();
    let sealed: Value = serde_json::from_slice(&sealed).unwrap();
    let kind = EventKind::OrderCreated;
    let show = |reader: Reader| reader.show(kind, "ship_to", sealed.clone());
    assert_eq!(show(Reader::default()), "sealed");
    assert_eq!(show(Reader::closed(Some(keys.clone()))), "sealed");
    assert_eq!(show(Reader::open(keys.clone())), json!({}));
    forget(&mut keys, "s");
    assert_eq!(show(Reader::closed(Some(keys.clone()))), "forgotten");
    assert_eq!(show(Reader::open(keys)), "forgotten");
    assert_eq!(show(Reader::closed(None)), "sealed");
}

#[test]
fn length_of_what_is_sealed_tells_little() {
    let keys = keys();
    let key = keys.key(1).unwrap().unwrap();
    let place = Place { purpose: Purpose::OrderStarted, member: "m" };
    let length = |json: &str| {
        let mut sealed = Vec::new();
        seal_json(&key, place, json.as_bytes(), &mut sealed).unwrap();
        sealed.len()
    };
    assert_eq!(length("true"), length("false"));
    assert_eq!(length("\"Bo\""), length("\"Maximiliane Charlotte\""));
}

#[test]
fn key_file_is_made_once_for_one_user_and_rewritten_whole() {
    use std::os::unix::fs::PermissionsExt as _;
    let store = tempfile::tempdir().unwrap();
    let (made, origin) = file::load_or_create(store.path(), STORE).unwrap();
    assert_eq!(origin, Origin::Created);
    let (found, origin) = file::load_or_create(store.path(), STORE).unwrap();
    assert_eq!((origin, &*found.encode()), (Origin::Found, &*made.encode()));
    let path = file::path(store.path());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let address = made.address_now(&Subject::Person("s")).unwrap();
    let held_open = fs::File::open(&path).unwrap();
    let changed = file::rewrite(store.path(), STORE, |keys| {
        keys.forget(&[address], note("s"));
        true
    });
    assert!(!changed.unwrap().reaches(address));
    let (again, _) = file::load_or_create(store.path(), STORE).unwrap();
    assert!(!again.reaches(address), "it stays so");
    let old = std::io::read_to_string(held_open).unwrap();
    assert!(!old.is_empty() && old.bytes().all(|byte| byte == 0), "the old blocks are overwritten");

    let foreign = file::load(store.path(), [1; 16]);
    assert!(matches!(foreign, Err(SubjectFileError::Foreign { .. })));
    fs::write(&path, b"CLAWSUBJ").unwrap();
    assert!(matches!(file::load(store.path(), STORE), Err(SubjectFileError::Damaged { .. })));
}

#[test]
fn crash_while_forgetting_leaves_the_old_keys_or_the_new() {
    let store = tempfile::tempdir().unwrap();
    let (made, _) = file::load_or_create(store.path(), STORE).unwrap();
    // Dead between writing the next file and putting it in place, at every length.
    let next = store.path().join("subjects/keys.next");
    for length in [0, 1, made.encode().len() - 1] {
        fs::write(&next, &made.encode()[..length]).unwrap();
        let (found, origin) = file::load_or_create(store.path(), STORE).unwrap();
        assert_eq!((origin, &*found.encode()), (Origin::Found, &*made.encode()));
    }
    let address = made.address_now(&Subject::Person("s")).unwrap();
    let forget = |keys: &mut SubjectKeys| keys.forget(&[address], note("s")) == 1;
    assert!(!file::rewrite(store.path(), STORE, forget).unwrap().reaches(address));
    assert!(!next.exists());
}

#[test]
fn own_event_is_sealed_for_the_subject_that_its_type_names() {
    let keys = keys();
    let mut sealer = Sealer::new(Arc::new(keys.clone()), schema());
    let order = "01a00000-0000-7000-8000-000000000000";
    let members = format!(r#"{{"note":"Ada is ill","order_id":"{order}"}}"#);
    let command = Command::RecordEvent { name: "return-received", version: 1, members: &members };
    let sealed = sealer.seal(carried(command, b"", b"")).unwrap();
    let Command::RecordEvent { members, .. } = sealed.command else { panic!() };
    let document: Value = members.parse().unwrap();
    assert_eq!(document["order_id"], order);
    let envelope = Envelope::of_text(document["note"].as_str().unwrap()).unwrap();
    let subject = Subject::Thing(Id::parse(order).unwrap());
    assert_eq!(Some(envelope.address()), keys.address_now(&subject));
    let reader = Reader::open(keys);
    let show = |owner| reader.document(EventKind::StoreEvent, owner, document.clone());
    assert_eq!(show("return-received")["note"], "Ada is ill");
    assert_eq!(show("other-type")["note"], "damaged");
    assert_eq!(show("")["note"], "damaged");

    let plain = format!(r#"{{"order_id":"{order}"}}"#);
    let command = Command::RecordEvent { name: "return-received", version: 1, members: &plain };
    let sealed = sealer.seal(carried(command, b"", b"")).unwrap();
    assert_eq!(sealed.command, command);
}
