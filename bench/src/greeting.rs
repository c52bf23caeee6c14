//! How a server of the wire protocol that is no node lets a client in.
//!
//! The client checks whom it talks to, so even a server that does nothing must agree with it on
//! keys. Everything is the node's own code but for what a node would know of its shards.

use anyhow::{Context as _, Result, anyhow};
use claw_common::limits::{WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX, WIRE_IN_FLIGHT_MAX};
use claw_common::time::UnixMs;
use claw_common::wire::{OUTCOME_VERSION, ShardPlace, VERSION, WelcomeHeader};
use claw_core::protocol::Frame;
use claw_dataplane::ingest::auth::{KeyEntry, KeyMaterial, Keyring};
use claw_dataplane::ingest::routes::Role;
use claw_dataplane::ingest::wire::answers::welcome_frame;
use claw_dataplane::ingest::wire::{Opening, Session};
use claw_sdk::key::{Signer, parse_secret};
use zerocopy::{FromZeros as _, IntoBytes as _};

/// A storefront's HMAC key, on both sides.
pub(crate) fn keys(secret: &str) -> Result<(Signer, Keyring)> {
    let mut keyring = Keyring::default();
    let material = KeyMaterial::Hmac(*parse_secret(secret)?);
    let front =
        KeyEntry { number: 1, name: "front", role: Role::Storefront, material, revoked: false };
    keyring.put(&front).context("register the key")?;
    Ok((Signer::hmac("front", secret)?, keyring))
}

/// Lets the sender of a hello in: the session, and the welcome frame without its tag.
pub(crate) fn greet(
    hello: &Frame<'_>,
    keyring: &Keyring,
    now_ms: UnixMs,
) -> Result<(Session, Vec<u8>)> {
    let (connection, private) = ([1; 16], [2; 32]);
    let opening = Opening { hello, keyring, now_ms, connection, private };
    let refused = |problem| anyhow!("a good hello: {problem:?}");
    let stranger = opening.admit().map_err(refused)?;
    let mut header = WelcomeHeader::new_zeroed();
    header.version = VERSION.into();
    header.outcome_version = OUTCOME_VERSION.into();
    header.shards_count = 1.into();
    header.in_flight_max = bound(WIRE_IN_FLIGHT_MAX).into();
    header.commands_max = bound(WIRE_COMMANDS_MAX).into();
    header.frame_bytes_max = bound(WIRE_FRAME_BYTES_MAX).into();
    header.ephemeral = stranger.ephemeral();
    let place = ShardPlace::new_zeroed();
    let payload = [header.as_bytes(), place.as_bytes()];
    let frame = welcome_frame(&payload, stranger.tag_bytes(), now_ms);
    let session = stranger.agree(keyring, &frame).map_err(refused)?;
    Ok((session, frame))
}

fn bound(number: usize) -> u32 {
    u32::try_from(number).expect("a small bound")
}
