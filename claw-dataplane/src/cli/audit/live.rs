//! What a running node says of its shards: a hash of each one's state and the record it is of.
//!
//! Owns the asking. A shard that holds too much to be hashed while it serves claims nothing and is
//! named in the report; the replay is compared in `full/states.rs`.

use anyhow::{Context as _, bail};
use claw_common::id::ShardId;
use claw_sdk::{Client, Signer, Trust};
use serde_json::Value;

use super::AuditArgs;
use super::full::{Claim, Live, Whose};
use crate::config::{Config, Overrides};

/// Asks every shard of the node at `url`.
pub(super) fn ask(args: &AuditArgs, url: &str) -> anyhow::Result<Live> {
    let config = Config::load(&args.store, &Overrides::from_environment())?;
    let mut client = Client::new(url, Some(Signer::load(&args.store, &args.key)?))?;
    if let Some(path) = &args.ca {
        client.set_trust(Trust::file(path)?);
    }
    let mut live = Live::default();
    for shard in 0..config.store.shards {
        let target = format!("/v1/shards/{shard}/state");
        let answer = client.request("GET", &target, b"")?;
        let body = answer.json();
        if answer.status != 200 {
            let said = body["detail"].as_str().or_else(|| body["title"].as_str());
            bail!("ask {url} for the state of shard {shard}: {}, {said:?}", answer.status);
        }
        let read = claim(ShardId(shard), &body);
        match read.with_context(|| format!("read what {url} said of shard {shard}"))? {
            Some(claim) => live.claims.push(claim),
            None => live.unhashed.push(ShardId(shard)),
        }
    }
    Ok(live)
}

/// What one answer claims; `None` where the shard holds too much.
fn claim(shard: ShardId, body: &Value) -> anyhow::Result<Option<Claim>> {
    let sequence = body["sequence"].as_u64().context("it names no sequence")?;
    let Some(text) = body["state_hash"].as_str() else { return Ok(None) };
    let mut state_hash = [0; 32];
    let digits = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * state_hash.len() {
        bail!("{text:?} is no hash");
    }
    for (byte, digits) in state_hash.iter_mut().zip(digits) {
        let digits = std::str::from_utf8(digits).ok();
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        *byte = value.with_context(|| format!("{text:?} is no hash"))?;
    }
    Ok(Some(Claim { whose: Whose::Node, shard, sequence, state_hash }))
}
