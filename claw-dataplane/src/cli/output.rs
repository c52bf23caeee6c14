//! What verbs say: data to stdout, talk to stderr, each in one place.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::log::proof::parse_public_key;

/// The person asked for something that cannot be asked: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// One line of data.
pub(crate) fn data(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// One line of talk.
pub(crate) fn talk(line: &str) {
    // Talk is a courtesy: the work is done whether or not somebody listens.
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// Data as JSON, one value, indented for people who look.
pub(crate) fn json(value: &serde_json::Value) -> io::Result<()> {
    data(&format!("{value:#}"))
}

/// An Ed25519 public key given as a file (base64 or PEM) or as itself.
pub(crate) fn public_key(option: &str, given: &str) -> anyhow::Result<[u8; 32]> {
    let text = if Path::new(given).is_file() {
        fs::read_to_string(given)
            .map_err(|error| UsageError(format!("{option} {given}: {error}")))?
    } else {
        given.to_owned()
    };
    let reason = || UsageError(format!("{option} {given}: no such file, and not an Ed25519 key"));
    Ok(parse_public_key(&text).ok_or_else(reason)?)
}
