//! The examples of `claw-dataplane/docs/wire.md`, made again with the layouts and compared.

extern crate std;

use std::string::String;
use std::vec::Vec;

use zerocopy::{FromBytes as _, IntoBytes as _};

use super::*;
use crate::limits::{WIRE_AFTER_MAX, WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX, WIRE_IN_FLIGHT_MAX};

const PAGE: &str = include_str!("../../../claw-dataplane/docs/wire.md");
const SESSION: [u8; 16] = [
    0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
];
const KEY_NAME: &str = "storefront-hmac";

/// The bytes of a block marked `hex NAME`.
fn example(name: &str) -> Vec<u8> {
    let opening = std::format!("```hex {name}\n");
    let start = PAGE.find(&opening).unwrap_or_else(|| panic!("no example {name}")) + opening.len();
    let text = &PAGE[start..start + PAGE[start..].find("```").unwrap()];
    let byte = |pair: &str| u8::from_str_radix(pair, 16).unwrap();
    text.split_whitespace().map(byte).collect()
}

fn array<const N: usize>(name: &str) -> [u8; N] {
    example(name).try_into().unwrap()
}

/// Header, payload and tag of a frame.
fn frame(bytes: &[u8]) -> (FrameHeader, &[u8], &[u8]) {
    let (header, rest) = FrameHeader::read_from_prefix(bytes).unwrap();
    assert_eq!(usize::try_from(header.length_bytes.get()).unwrap(), bytes.len());
    let (payload, tag) = rest.split_at(rest.len() - usize::from(header.tag_bytes));
    (header, payload, tag)
}

/// Commands of a payload, whole.
fn split(mut payload: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !payload.is_empty() {
        let (length, _) = zerocopy::little_endian::U32::read_from_prefix(payload).unwrap();
        let (part, rest) = payload.split_at(usize::try_from(length.get()).unwrap());
        parts.push(part);
        payload = rest;
    }
    parts
}

#[test]
fn opening_on_the_page_has_the_layout_of_the_code() {
    assert_eq!(example("preface"), PREFACE);
    let bytes = example("hello");
    let (header, payload, _) = frame(&bytes);
    assert_eq!((header.kind, header.count.get(), header.sequence.get()), (FRAME_HELLO, 0, 0));
    let (hello, name) = HelloHeader::read_from_prefix(payload).unwrap();
    assert_eq!((hello.mode, hello.algorithm), (MODE_SESSION, ALGORITHM_HMAC_SHA256));
    assert_eq!((hello.session, hello.ephemeral), (SESSION, [0x11; 32]));
    assert_eq!((usize::from(hello.key_name_bytes), name), (name.len(), KEY_NAME.as_bytes()));

    let bytes = example("welcome");
    let (header, payload, tag) = frame(&bytes);
    assert_eq!((header.kind, header.created_ms.get()), (FRAME_WELCOME, 1_800_000_000_001));
    let (welcome, places) = WelcomeHeader::read_from_prefix(payload).unwrap();
    assert_eq!((welcome.version.get(), welcome.outcome_version.get()), (VERSION, OUTCOME_VERSION));
    let limits = [welcome.in_flight_max, welcome.commands_max, welcome.frame_bytes_max];
    let bounds = [WIRE_IN_FLIGHT_MAX, WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX];
    assert_eq!(limits.map(|limit| usize::try_from(limit.get()).unwrap()), bounds);
    assert!(PAGE.contains(&std::format!("at most {WIRE_AFTER_MAX}")));
    assert_eq!((welcome.ephemeral, welcome.connection[0]), ([0x22; 32], 0xc0));
    assert_eq!(places.len(), usize::from(welcome.shards_count.get()) * size_of::<ShardPlace>());
    assert_eq!(session_tag(&array("server-key"), &bytes[..bytes.len() - tag.len()]), tag);
}

#[test]
fn keys_on_the_page_are_derived_as_the_code_does() {
    let (hello, welcome) = (example("hello"), example("welcome"));
    let untagged = &welcome[..welcome.len() - TAG_BYTES_HASH];
    let transcript = crate::checksum::blake3_parts(&[&hello, untagged]);
    assert_eq!(transcript, array("transcript"));
    let keys = session_keys(&[0x33; 32], &array("proof"), &transcript);
    assert_eq!((keys.client, keys.server), (array("client-key"), array("server-key")));
    let identity = identity_of(&identity_key(KEY_NAME, &SESSION), 1);
    assert_eq!(identity, array("identity"));
}

#[test]
fn commands_on_the_page_have_the_layout_of_the_code() {
    let bytes = example("commands");
    let (header, payload, tag) = frame(&bytes);
    assert_eq!((header.kind, header.count.get(), header.sequence.get()), (FRAME_COMMANDS, 2, 1));
    assert_eq!(session_tag(&array("client-key"), &bytes[..bytes.len() - tag.len()]), tag);
    let parts = split(payload);
    let (command, body) = CommandHeader::read_from_prefix(parts[0]).unwrap();
    assert_eq!(CommandKind::from_code(command.kind), Some(CommandKind::CreateHold));
    let (hold, rest) = HoldBody::read_from_prefix(body).unwrap();
    let (session, rest) = rest.split_at(usize::from(hold.session_bytes));
    let (line, sku) = LineHeader::read_from_prefix(rest).unwrap();
    assert_eq!((session, sku, line.quantity.get()), (&b"shopper-7"[..], &b"TEE-M"[..], 2));
    let (command, body) = CommandHeader::read_from_prefix(parts[1]).unwrap();
    assert_eq!((command.kind, command.sequence.get()), (CommandKind::ReadProduct as u8, 2));
    assert_eq!(body[size_of::<NameBody>()..], *b"TEE-M");

    let mut base = FrameBase {
        domain: DOMAIN_FRAME,
        session: SESSION,
        connection: core::array::from_fn(|at| 0xc0 + u8::try_from(at).unwrap()),
        header,
    };
    base.header.tag_bytes = 64;
    base.header.length_bytes.set(header.length_bytes.get() + 32);
    let mut covered = base.as_bytes().to_vec();
    for part in &parts {
        covered.extend_from_slice(&command_digest(part));
    }
    assert_eq!(covered, example("ed25519-base"));
}

#[test]
fn answers_on_the_page_have_the_layout_of_the_code() {
    for (name, kind) in [("answers", FRAME_ANSWERS), ("closing", FRAME_CLOSING)] {
        let bytes = example(name);
        let (header, _, tag) = frame(&bytes);
        assert_eq!(header.kind, kind);
        assert_eq!(session_tag(&array("server-key"), &bytes[..bytes.len() - tag.len()]), tag);
    }
    let bytes = example("answers");
    let parts = split(frame(&bytes).1);
    let (answer, outcome) = AnswerHeader::read_from_prefix(parts[0]).unwrap();
    assert_eq!(
        (answer.kind, answer.status.get(), answer.position.get()),
        (ANSWER_OUTCOME, 201, 12)
    );
    assert_eq!(outcome[0], 6);
    let (answer, body) = AnswerHeader::read_from_prefix(parts[1]).unwrap();
    assert_eq!((answer.kind, answer.sequence.get()), (ANSWER_PROBLEM, 2));
    let (problem, texts) = ProblemHeader::read_from_prefix(body).unwrap();
    let name = &texts[..usize::from(problem.name_bytes)];
    assert_eq!(core::str::from_utf8(name).map(problem_code), Ok(problem.code.get()));
    assert_eq!(texts.len() - name.len(), usize::from(problem.detail_bytes.get()));
}

#[test]
fn page_names_every_problem_and_every_kind_with_its_number() {
    for (place, name) in PROBLEM_NAMES.iter().enumerate() {
        let cell = std::format!("| {} | {name} |", place + 1);
        assert!(PAGE.contains(&cell), "{cell}");
    }
    let mut rows: Vec<String> = PAGE.lines().map(String::from).collect();
    rows.retain(|line| line.contains("`GET /v1/") || line.contains("`P") || line.contains("`DEL"));
    for kind in CommandKind::ALL {
        let front = std::format!("| {} | ", *kind as u8);
        assert!(rows.iter().any(|line| line.starts_with(&front)), "{kind:?}");
    }
}
