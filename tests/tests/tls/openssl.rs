//! OpenSSL's client, a node to point it at, and what to make of what it says.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use claw_tests::{Node, Store};

/// Whether set-up found no OpenSSL, and said so.
pub(crate) fn stepped_around() -> bool {
    std::env::var_os("CLAW_WITHOUT_OPENSSL").is_some()
}

/// A node that serves TLS under a certificate of its own.
pub(crate) struct Served {
    pub(crate) store: Store,
    pub(crate) node: Node,
    /// `127.0.0.1:PORT` of the TLS listener.
    pub(crate) authority: String,
}

impl Served {
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let store = Store::with("minimal", settings);
        let (code, said) = store.claw(&["keys", "tls"]);
        assert_eq!(code, Some(0), "{said}");
        Self::on(store)
    }

    /// On a store that has a pair.
    pub(crate) fn on(store: Store) -> Self {
        let mut node = Node::start_with(&store, &PAIR);
        let line = node.wait_for("TLS 1.3 on https://");
        let (_, authority) = line.split_once("https://").expect("just found");
        Self { store, node, authority: authority.trim().to_owned() }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.store.path().join("keys/tls.crt")
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.authority)
    }

    /// Connects as `args` say, asks for `/v1/health`, and says everything OpenSSL did.
    pub(crate) fn s_client(&self, args: &[&str]) -> Spoken {
        let request = format!(
            "GET /v1/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.authority
        );
        self.s_client_sending(args, request.as_bytes())
    }

    pub(crate) fn s_client_sending(&self, args: &[&str], request: &[u8]) -> Spoken {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &self.authority, "-ign_eof"]);
        command.arg("-CAfile").arg(self.certificate()).arg("-verify_return_error").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl starts: run `cargo xtask setup`");
        let mut stdin = child.stdin.take().expect("piped");
        // It may have been refused and gone already.
        stdin.write_all(request).ok();
        drop(stdin);
        let output = child.wait_with_output().expect("openssl ends");
        let said = [output.stdout, output.stderr].concat();
        Spoken { ok: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() }
    }
}

/// The pair that `claw keys tls` makes, on a free port.
pub(crate) const PAIR: [&str; 6] = [
    "--tls-certificate",
    "keys/tls.crt",
    "--tls-key",
    "keys/tls.key",
    "--tls-listen",
    "127.0.0.1:0",
];

/// What came of a connection.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) ok: bool,
    pub(crate) said: String,
}

impl Spoken {
    /// Whether the request was answered over an encrypted connection, ended as TLS asks.
    pub(crate) fn answered(&self) -> bool {
        self.ok && self.said.contains("HTTP/1.1 200 OK") && !self.said.contains("unexpected eof")
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.said.contains(part)
    }
}

/// Runs OpenSSL for anything else, in `store`'s folder.
pub(crate) fn openssl(store: &Store, args: &[&str]) -> String {
    let mut command = Command::new("openssl");
    let output = command.args(args).current_dir(store.path()).output().expect("openssl starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
