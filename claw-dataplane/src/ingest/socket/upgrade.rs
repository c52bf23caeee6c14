//! The request that opens a WebSocket (RFC 6455, section 4.2.1), and its answer.

use claw_common::limits::SOCKET_STOCK_MAX;

use crate::ingest::http::Request;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::tickets::SocketTicket;

use super::notices::Format;
use super::{Cursor, Session};

/// What a request asks for.
#[derive(Debug)]
#[expect(clippy::partial_pub_fields, reason = "the answer's key is for `write_answer` alone")]
pub struct Upgrade {
    /// What opens it.
    pub ticket: SocketTicket,
    /// Where it goes on from; `None`: from now.
    pub after: Option<Cursor>,
    /// How it is told.
    pub format: Format,
    /// Whose stock it watches.
    pub stock: Vec<String>,
    /// What the answer says of the request's key.
    accept: String,
}

impl Upgrade {
    /// Reads a request; `shape` is the store's counts of shards and the node's of cores.
    pub fn read(request: &Request<'_>, shape: (u16, usize)) -> Result<Self, Problem> {
        let (shards_count, cores_count) = shape;
        let field = |name: &str| {
            let found = request.all.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
        };
        let names = |field: Option<&str>, wanted: &str| {
            field.is_some_and(|field| {
                field.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
            })
        };
        let upgrades =
            names(field("upgrade"), "websocket") && names(field("connection"), "upgrade");
        let key = field("sec-websocket-key").filter(|key| key.len() == 24);
        let (true, Some(key)) = (upgrades, key) else {
            let detail = "this path opens a WebSocket: send Upgrade, Connection, Sec-WebSocket-Key";
            return Err(Problem::malformed(detail));
        };
        if field("sec-websocket-version") != Some("13") {
            return Err(Problem::malformed("Sec-WebSocket-Version is 13"));
        }
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let (mut ticket, mut after, mut format) = (None, None, Format::Json);
        let mut stock = Vec::new();
        for pair in request.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("ticket", text)) => ticket = SocketTicket::parse(text, cores_count),
                Some(("after", text)) => {
                    let cursor = Cursor::parse(text, shards_count);
                    let none = || Problem::malformed("after is no cursor of this store");
                    after = Some(cursor.ok_or_else(none)?);
                }
                Some(("format", "json")) => format = Format::Json,
                Some(("format", "hx")) => format = Format::Hx,
                Some(("stock", text)) => stock = read_stock(text)?,
                _ => {
                    let detail =
                        "a WebSocket takes ticket, after, format=json|hx and stock=SKU,...";
                    return Err(Problem::malformed(detail));
                }
            }
        }
        let missing = || {
            let detail = "send the ticket that POST /v1/tickets gave as ?ticket=";
            Problem::new(ProblemKind::BadTicket, detail)
        };
        Ok(Self { ticket: ticket.ok_or_else(missing)?, after, format, stock, accept })
    }

    /// Appends the answer that opens it.
    pub fn write_answer(&self, out: &mut Vec<u8>) {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: ";
        for part in [head, &self.accept, "\r\n\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// The connection's protocol from here on.
    pub fn session(&self, now_ms: u64) -> Session {
        Session::new(now_ms)
    }
}

fn read_stock(text: &str) -> Result<Vec<String>, Problem> {
    let mut skus: Vec<String> = text.split(',').map(str::to_owned).collect();
    // Watched once, however often it is named.
    skus.sort_unstable();
    skus.dedup();
    if skus.len() > SOCKET_STOCK_MAX {
        return Err(Problem::malformed(format!("stock names at most {SOCKET_STOCK_MAX} SKUs")));
    }
    match skus.iter().find(|sku| !claw_common::id::is_sku(sku)) {
        Some(_) => Err(Problem::malformed("stock names SKUs: 1 to 64 of A-Z a-z 0-9 . _ -")),
        None => Ok(skus),
    }
}
