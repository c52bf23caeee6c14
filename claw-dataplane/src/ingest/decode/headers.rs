//! Fields and queries that say how a command is meant: identity, waiting, versions, cursors.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_common::id::{Id, Position, ShardId, is_sku};
use claw_common::limits::{SHARDS_MAX, WAIT_SECONDS_MAX};
use claw_core::command::CommandKey;

use crate::ingest::auth::Caller;
use crate::ingest::http::Request;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Match;

/// Products in one answer of a list, unless asked otherwise.
pub const LIST_LIMIT_DEFAULT: u16 = 100;
/// Most products in one answer of a list.
pub const LIST_LIMIT_MAX: u16 = 200;

/// The identity of an unsafe command: who asks, for which session, for what, with which key; and
/// what the body says. Zero for reads. Who asks with a token is the session, whichever key signed
/// the token: a shopper who repeats with a fresh one gets the first answer.
pub fn identify(
    request: &Request<'_>,
    matched: &Match<'_>,
    caller: &Caller<'_>,
) -> Result<CommandKey, Problem> {
    let spec = matched.route.spec();
    if !spec.unsafe_method() {
        return Ok(CommandKey::default());
    }
    let id = idempotency_key(request.fields.idempotency_key)?;
    // No key has an empty name, so keys and sessions cannot be taken for each other.
    let who = match &caller.session {
        Some(session) => ("", session.as_str()),
        None => (caller.name, ""),
    };
    let key = identity_key(who, matched, id);
    Ok(CommandKey { key, digest: cut(blake3::hash(request.body)) })
}

/// The first half of an identity: who asks (key or, for a token, session), for what, with which
/// `Idempotency-Key`.
pub fn identity_key(who: (&str, &str), matched: &Match<'_>, id: Id) -> [u8; 16] {
    let spec = matched.route.spec();
    let mut hasher = GatheringHasher::new();
    let [first, second] = matched.parameters;
    for part in [who.0, who.1, spec.method, spec.template, first, second] {
        // The length keeps two lists of parts from looking like one.
        hasher.update(&u64::try_from(part.len()).expect("a length fits").to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&id.0);
    cut(hasher.finish())
}

/// Most bytes gathered: what an ordinary identity has.
const GATHERED_BYTES_MAX: usize = 512;

/// A hasher that gathers small parts first: each update by itself costs as much as hashing 64
/// bytes.
struct GatheringHasher {
    hasher: blake3::Hasher,
    bytes: [u8; GATHERED_BYTES_MAX],
    used: usize,
}

impl GatheringHasher {
    fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), bytes: [0; GATHERED_BYTES_MAX], used: 0 }
    }

    fn update(&mut self, part: &[u8]) {
        let end = self.used + part.len();
        if let Some(room) = self.bytes.get_mut(self.used..end) {
            room.copy_from_slice(part);
            self.used = end;
        } else {
            self.hasher.update(&self.bytes[..self.used]);
            self.hasher.update(part);
            self.used = 0;
        }
    }

    fn finish(mut self) -> blake3::Hash {
        self.hasher.update(&self.bytes[..self.used]);
        self.hasher.finalize()
    }
}

fn idempotency_key(field: Option<&str>) -> Result<Id, Problem> {
    let missing = |detail: &str| Problem::new(ProblemKind::IdempotencyKeyMissing, detail);
    let field = field.ok_or_else(|| {
        missing("send Idempotency-Key with a fresh UUID, and the same one when you retry")
    })?;
    // The field's draft standard writes it as a quoted string.
    let bare = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(field);
    Id::parse(bare).ok_or_else(|| missing("Idempotency-Key must be a UUID"))
}

fn cut(hash: blake3::Hash) -> [u8; 16] {
    hash.as_bytes()[..16].try_into().expect("16 of 32 bytes")
}

/// Seconds of `Prefer: wait=S`, at most [`WAIT_SECONDS_MAX`]; what cannot be read is no preference
/// (RFC 7240, section 2).
pub fn prefer_wait_s(field: Option<&str>) -> u64 {
    let preferences = field.unwrap_or_default().split([',', ';']);
    let mut waits = preferences.filter_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let named = name.trim_ascii().eq_ignore_ascii_case("wait");
        named.then(|| value.trim_ascii().trim_matches('"').parse().ok()).flatten()
    });
    waits.next().map_or(0, |wait: u64| wait.min(WAIT_SECONDS_MAX))
}

/// The version of `If-Match: "version"`.
pub fn if_match(field: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(field) = field else { return Ok(None) };
    let quoted = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let version = quoted.and_then(decimal);
    version
        .map(Some)
        .ok_or_else(|| Problem::malformed("If-Match must be one version in quotes, like \"3\""))
}

/// Positions of `Claw-After: shard:sequence[,...]`, added to `positions`.
pub fn claw_after(
    field: Option<&str>,
    shards_count: u16,
    positions: &mut Vec<Position>,
) -> Result<(), Problem> {
    positions.clear();
    let Some(field) = field else { return Ok(()) };
    let bad = || Problem::malformed("Claw-After must be shard:sequence[,shard:sequence...]");
    for part in field.split(',') {
        let (shard, sequence) = part.trim_ascii().split_once(':').ok_or_else(bad)?;
        let shard: u16 = decimal(shard).ok_or_else(bad)?;
        let sequence = decimal(sequence).ok_or_else(bad)?;
        if shard >= shards_count || positions.len() == SHARDS_MAX {
            return Err(bad());
        }
        positions.push(Position { shard: ShardId(shard), sequence });
    }
    Ok(())
}

/// What `GET /v1/products` asks: the SKU to begin after, and how many.
pub fn list_page(query: Option<&str>) -> Result<(String, u16), Problem> {
    let (mut after, mut limit) = (String::new(), LIST_LIMIT_DEFAULT);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("after", cursor)) => {
                after = parse_cursor(cursor)
                    .ok_or_else(|| Problem::malformed("after is no cursor of this list"))?;
            }
            Some(("limit", number)) => {
                limit = decimal(number)
                    .filter(|limit| (1..=LIST_LIMIT_MAX).contains(limit))
                    .ok_or_else(|| {
                        Problem::malformed(format!("limit must be 1 to {LIST_LIMIT_MAX}"))
                    })?;
            }
            _ => return Err(Problem::malformed("a list takes after=CURSOR and limit=N")),
        }
    }
    Ok((after, limit))
}

/// The query of a list of sagas: after which order, how many, and whether only parked ones.
pub fn saga_page(query: Option<&str>) -> Result<(Id, u16, bool), Problem> {
    let (mut after, mut limit, mut parked) = (Id([0; 16]), LIST_LIMIT_DEFAULT, false);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("after", order)) => {
                after = Id::parse(order)
                    .ok_or_else(|| Problem::malformed("after is the id of an order"))?;
            }
            Some(("limit", number)) => {
                limit = decimal(number)
                    .filter(|limit| (1..=LIST_LIMIT_MAX).contains(limit))
                    .ok_or_else(|| {
                        Problem::malformed(format!("limit must be 1 to {LIST_LIMIT_MAX}"))
                    })?;
            }
            Some(("parked", flag)) => {
                parked = flag
                    .parse()
                    .ok()
                    .ok_or_else(|| Problem::malformed("parked is true or false"))?;
            }
            _ => {
                let detail = "a list of sagas takes after=ORDER, limit=N and parked=true";
                return Err(Problem::malformed(detail));
            }
        }
    }
    Ok((after, limit, parked))
}

/// A cursor: opaque to clients, the last SKU of the page to us.
pub fn write_cursor(out: &mut Vec<u8>, sku: &str) {
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(sku).as_bytes());
}

fn parse_cursor(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok().filter(|sku| is_sku(sku))
}

/// Digits only: `parse` alone would take a plus sign.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathering_parts_does_not_change_their_hash() {
        for lengths in [[3, 8, 16], [500, 12, 1], [500, 13, 7], [9, 2000, 600]] {
            let mut gathered = GatheringHasher::new();
            let mut plain = blake3::Hasher::new();
            for (fill, length) in (1..).zip(lengths) {
                let part = vec![fill; length];
                gathered.update(&part);
                plain.update(&part);
            }
            assert_eq!(gathered.finish(), plain.finalize(), "{lengths:?}");
        }
    }

    #[test]
    fn preferences_are_bounded_and_others_ignored() {
        let rows = [(None, 0), (Some("wait=5"), 5), (Some("respond-async, wait=\"9\""), 9)];
        for (field, seconds) in rows {
            assert_eq!(prefer_wait_s(field), seconds, "{field:?}");
        }
        assert_eq!(prefer_wait_s(Some("wait=86400")), WAIT_SECONDS_MAX);
        assert_eq!(prefer_wait_s(Some("wait=soon")), 0);
    }

    #[test]
    fn positions_and_versions_are_read_or_refused() {
        let mut positions = Vec::new();
        claw_after(Some("0:5, 1:7"), 2, &mut positions).unwrap();
        assert_eq!(positions.len(), 2);
        assert_eq!(positions[1], Position { shard: ShardId(1), sequence: 7 });
        for bad in ["", "5", "2:1", "0:+1", "0:1,", "a:b", "0:99999999999999999999"] {
            assert!(claw_after(Some(bad), 2, &mut positions).is_err(), "{bad}");
        }
        assert_eq!(if_match(Some("\"12\"")), Ok(Some(12)));
        for bad in ["12", "*", "W/\"1\"", "\"a\"", "\"", "\"+1\""] {
            assert!(if_match(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn cursor_reads_back_and_strangers_do_not() {
        let mut cursor = b"limit=7&after=".to_vec();
        write_cursor(&mut cursor, "SKU-9");
        let query = String::from_utf8(cursor).unwrap();
        assert_eq!(list_page(Some(&query)), Ok(("SKU-9".to_owned(), 7)));
        for bad in ["limit=0", "limit=201", "limit=x", "after=%20", "page=2", "after"] {
            assert!(list_page(Some(bad)).is_err(), "{bad}");
        }
    }
}
