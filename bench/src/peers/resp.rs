//! A sale in Redis's words: the script, the request and its answer as bytes.
//!
//! Packing and parsing are the `redis` crate's; sockets are [`super::traffic`]'s, because a
//! connection of that crate is a thread or a task, and 256 of those would be what is measured.

use anyhow::{Context as _, Result, bail};
use redis::Value;

use super::traffic::Dialogue;

/// Where the stock of the one SKU stands.
pub(crate) const STOCK_KEY: &str = "stock:HOT";
/// What every order's key starts with; behind it comes its idempotency id.
pub(crate) const ORDER_PREFIX: &str = "order:";
/// Takes what is there and remembers the answer under its id, in one step that nobody comes
/// between. 1: sold, now or before; 0: sold out.
pub(crate) const SCRIPT: &str = "\
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
local available = tonumber(redis.call('HGET', KEYS[1], 'available'))
local quantity = tonumber(ARGV[2])
if available == nil or available < quantity then return 0 end
redis.call('HINCRBY', KEYS[1], 'available', -quantity)
redis.call('HINCRBY', KEYS[1], 'held', quantity)
redis.call('HSET', KEYS[2], 'session', ARGV[1], 'sku', ARGV[3], 'quantity', quantity)
return 1
";

/// Asks for one unit after the other.
pub(super) struct Sale {
    /// Of the script, as `SCRIPT LOAD` named it.
    pub(super) script_hash: String,
    /// Keeps the ids of one run apart from another's.
    pub(super) seed: u64,
}

impl Dialogue for Sale {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        let order = format!("{ORDER_PREFIX}{:016x}{number:016x}", self.seed);
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.script_hash).arg(2).arg(STOCK_KEY).arg(order);
        command.arg(format!("session-{}", number % 1_000)).arg(1).arg("HOT");
        command.write_packed_command(out);
    }

    fn hear(&self, bytes: &[u8]) -> Result<Option<bool>> {
        // Every answer of ours is one line: a number or an error.
        if !bytes.ends_with(b"\r\n") {
            return Ok(None);
        }
        match redis::parse_redis_value(bytes).context("read an answer of Redis")? {
            Value::Int(1) => Ok(Some(true)),
            Value::Int(0) => Ok(Some(false)),
            other => bail!("Redis answered {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale() -> Sale {
        Sale { script_hash: "ab12".to_owned(), seed: 7 }
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let text = |number| {
            let mut out = Vec::new();
            sale().ask(number, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert!(
            text(1).starts_with("*8\r\n$7\r\nEVALSHA\r\n$4\r\nab12\r\n$1\r\n2\r\n"),
            "{}",
            text(1)
        );
        assert!(text(1).contains("order:00000000000000070000000000000001"), "{}", text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn answers_are_sold_refused_or_an_error_and_parts_of_one_ask_for_more() {
        let sale = sale();
        assert_eq!(sale.hear(b":1\r\n").unwrap(), Some(true));
        assert_eq!(sale.hear(b":0\r\n").unwrap(), Some(false));
        for part in [&b":1\r"[..], b":1", b":"] {
            assert_eq!(sale.hear(part).unwrap(), None, "{part:?}");
        }
        assert!(sale.hear(b"-NOSCRIPT no such script\r\n").is_err());
    }
}
