//! `claw sign`: the headers that make a request of any HTTP client an authenticated one.
//!
//! ```text
//!  curl -H @<(claw sign POST URL --data body.json) --data-binary @body.json URL
//! ```
//! Signs only; sends nothing. The body must reach the node byte for byte as it was signed, so the
//! examples use `--data-binary`, which curl leaves alone.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use claw_common::id::Id;
use claw_common::limits::BODY_BYTES_MAX;
use claw_sdk::client::{new_idempotency_key, now_s};
use claw_sdk::{RequestParts, Signer};
use serde_json::{Map, Value};

use super::output::{self, UsageError};

/// Print the headers that sign a request (RFC 9421).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  URL=http://127.0.0.1:7070/v1/products/SHOE-42
  curl -H @<(claw sign GET $URL --store shop) $URL

  echo '{\"name\":\"Shoe\",\"price\":{\"amount\":4900,\"currency\":\"EUR\"}}' > shoe.json
  curl -X PUT -H @<(claw sign PUT $URL --data shoe.json --store shop) --data-binary @shoe.json $URL

  claw sign PUT $URL --data shoe.json --store shop --curl      # the whole command to copy

Signatures are good for five minutes. Give --idempotency-key to send the same command again.")]
pub struct SignArgs {
    /// GET, POST, PUT, DELETE ...
    method: String,
    /// The whole URL, as the client will request it
    url: String,
    /// The request's body: a file, or - for stdin
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The key to sign with, from the store's keys/
    #[arg(long, value_name = "NAME", default_value = "operator")]
    key: String,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// The command's Idempotency-Key, a UUID [default: a new one on POST, PUT, DELETE and PATCH]
    #[arg(long, value_name = "UUID")]
    idempotency_key: Option<String>,
    /// Print a curl command to copy instead
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    /// Print the headers as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &SignArgs) -> anyhow::Result<ExitCode> {
    let method = parse_method(&args.method)?;
    let url = Url::parse(&args.url)?;
    let body = read_body(args)?;
    let idempotency_key = choose_idempotency_key(args.idempotency_key.as_deref(), &method)?;
    let signer = Signer::load(&args.store, &args.key)?;
    let request = RequestParts {
        method: &method,
        authority: &url.authority,
        path: &url.path,
        query: url.query.as_deref(),
        body: &body,
        idempotency_key: idempotency_key.as_deref(),
    };
    let headers = signed_headers(&signer, &request)?;
    if args.curl {
        output::data(&curl_command(args, &method, &headers))?;
    } else if args.json {
        let members = headers.into_iter().map(|(name, value)| (name, Value::String(value)));
        output::json(&Value::Object(members.collect::<Map<_, _>>()))?;
    } else {
        for (name, value) in headers {
            output::data(&format!("{name}: {value}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn signed_headers(
    signer: &Signer,
    request: &RequestParts<'_>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut lines = Vec::new();
    signer.sign_into(&mut lines, request, now_s());
    let lines = String::from_utf8(lines).context("headers are ASCII")?;
    let mut headers = Vec::new();
    if !request.body.is_empty() {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    let pairs = lines.lines().filter_map(|line| line.split_once(": "));
    headers.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(headers)
}

fn parse_method(text: &str) -> Result<String, UsageError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(UsageError(format!("sign a request: `{text}` is not a method such as POST")));
    }
    Ok(text.to_ascii_uppercase())
}

fn choose_idempotency_key(given: Option<&str>, method: &str) -> anyhow::Result<Option<String>> {
    match given {
        Some(key) if Id::parse(key).is_none() => {
            Err(UsageError(format!("sign a request: idempotency key `{key}` is not a UUID")).into())
        }
        Some(key) => Ok(Some(key.to_owned())),
        None if matches!(method, "POST" | "PUT" | "DELETE" | "PATCH") => {
            Ok(Some(new_idempotency_key()?))
        }
        None => Ok(None),
    }
}

fn read_body(args: &SignArgs) -> anyhow::Result<Vec<u8>> {
    let Some(path) = &args.data else { return Ok(Vec::new()) };
    let body = if path.as_os_str() == "-" {
        let mut body = Vec::new();
        let most = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        io::stdin().lock().take(most).read_to_end(&mut body).context("read the body from stdin")?;
        body
    } else {
        fs::read(path).with_context(|| format!("read the body from {}", path.display()))?
    };
    if body.len() > BODY_BYTES_MAX {
        let reason = format!("sign a request: the body is above the node's {BODY_BYTES_MAX} bytes");
        return Err(UsageError(reason).into());
    }
    Ok(body)
}

fn curl_command(args: &SignArgs, method: &str, headers: &[(String, String)]) -> String {
    let mut words = vec![format!("curl -X {method}")];
    let header =
        |(name, value): &(String, String)| format!("-H {}", quoted(&format!("{name}: {value}")));
    words.extend(headers.iter().map(header));
    let body = args.data.as_ref().map(|path| quoted(&format!("@{}", path.display())));
    words.extend(body.map(|body| format!("--data-binary {body}")));
    words.push(quoted(&args.url));
    words.join(" \\\n  ")
}

/// A word for any POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The parts of a URL that are signed.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    authority: String,
    path: String,
    query: Option<String>,
}

impl Url {
    fn parse(text: &str) -> Result<Self, UsageError> {
        let refused = |why: &str| UsageError(format!("sign a request: URL `{text}` {why}"));
        let plain = text.split_once('#').map_or(text, |(before, _)| before);
        let rest = plain.strip_prefix("http://").or_else(|| plain.strip_prefix("https://"));
        let rest = rest.ok_or_else(|| refused("must begin with http:// or https://"))?;
        let default_port = if plain.starts_with("https") { ":443" } else { ":80" };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(split);
        if authority.is_empty() || authority.contains('@') {
            return Err(refused("must name a host, without a user"));
        }
        if !plain.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("holds characters that must be percent-encoded"));
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        // Clients leave the scheme's own port out of the Host header.
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        Ok(Self {
            authority: authority.to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_clients_send_them() {
        let rows = [
            ("http://127.0.0.1:7070/v1/x?a=1&b=2#top", "127.0.0.1:7070", "/v1/x", Some("a=1&b=2")),
            ("https://shop.example", "shop.example", "/", None),
            ("https://shop.example:443/a", "shop.example", "/a", None),
            ("http://shop.example:443/a", "shop.example:443", "/a", None),
            ("http://h?q", "h", "/", Some("q")),
            ("http://[::1]:7070/v1", "[::1]:7070", "/v1", None),
        ];
        for (text, authority, path, query) in rows {
            let expected = Url {
                authority: authority.to_owned(),
                path: path.to_owned(),
                query: query.map(str::to_owned),
            };
            assert_eq!(Url::parse(text).unwrap(), expected, "{text}");
        }
        for bad in ["ftp://x", "127.0.0.1:7070/v1", "http:///x", "http://u@h/", "http://h/a b"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
