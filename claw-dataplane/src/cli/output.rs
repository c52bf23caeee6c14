//! What verbs say: data to stdout, talk to stderr, each in one place.

use std::io::{self, Write as _};

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
