//! A small blocking HTTP/1.1 client: one kept-alive connection, signed requests, time limits.
//!
//! For command lines, tests and set-up; traffic at rate has its own engine. A request that dies
//! on a reused connection is sent once more on a fresh one: every unsafe request carries an
//! idempotency key, so that is safe. `https://` with the feature `tls`. No redirects, no
//! compression.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_common::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

use crate::key::Signer;
use crate::signature::sign::RequestParts;
use crate::transport::Stream;

/// Longest wait for a connection, a read or a write, unless set otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// Largest answer that is read, bytes: lists and the interface's description fit many times.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a URL may begin with.
const SCHEMES: &str = if cfg!(feature = "tls") { "http(s)" } else { "http" };

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not `http://HOST:PORT` nor, with the feature `tls`, `https://HOST:PORT`.
    #[error("use {url:?}: expected {SCHEMES}://HOST:PORT")]
    Url {
        /// As given.
        url: String,
    },
    /// The connection failed.
    #[error("{action} {authority}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// With whom.
        authority: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The answer is not HTTP/1.1 as this client reads it.
    #[error("read the answer of {authority}: {reason}")]
    Answer {
        /// Of whom.
        authority: String,
        /// What is wrong.
        reason: String,
    },
    /// No certificates to trust.
    #[cfg(feature = "tls")]
    #[error("decide whom to trust")]
    Trust(#[from] crate::transport::TrustError),
    /// The system gave no randomness for an idempotency key.
    #[error("make an idempotency key: the system gave no randomness")]
    Random,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request in full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Path and, after a question mark, the query.
    pub target: &'a str,
    /// Empty for none.
    pub body: &'a [u8],
    /// `None`: a fresh one is made where the method needs it.
    pub idempotency_key: Option<&'a str>,
    /// Further header lines.
    pub headers: &'a [(&'a str, &'a str)],
}

/// A client of one node.
#[derive(Debug)]
pub struct Client {
    authority: String,
    signer: Option<Signer>,
    timeout: Duration,
    connection: Option<Stream>,
    secure: bool,
    #[cfg(feature = "tls")]
    trust: Option<crate::transport::Trust>,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    /// For a node at `http://HOST:PORT`, or `https` with the feature `tls`; without a signer
    /// requests go unsigned.
    pub fn new(url: &str, signer: Option<Signer>) -> Result<Self, ClientError> {
        let encrypted = if cfg!(feature = "tls") { url.strip_prefix("https://") } else { None };
        let authority = encrypted
            .or_else(|| url.strip_prefix("http://"))
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@']))
            .ok_or_else(|| ClientError::Url { url: url.to_owned() })?;
        // The scheme's own port is not part of what is signed.
        let authority = match encrypted {
            Some(_) => authority.strip_suffix(":443").unwrap_or(authority),
            None => authority,
        };
        Ok(Self {
            authority: authority.to_owned(),
            signer,
            timeout: TIMEOUT_DEFAULT,
            connection: None,
            secure: encrypted.is_some(),
            #[cfg(feature = "tls")]
            trust: None,
            sent: Vec::new(),
            received: Vec::new(),
        })
    }

    /// Believes these certificates and no others; without this, those the system believes.
    #[cfg(feature = "tls")]
    pub fn set_trust(&mut self, trust: crate::transport::Trust) {
        self.trust = Some(trust);
        self.connection = None;
    }

    /// Waits at most this long for a connection, a read or a write.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
        self.connection = None;
    }

    /// Sends a request; POST, PUT and DELETE get a fresh idempotency key.
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<Response, ClientError> {
        self.send(&Call { method, target, body, ..Call::default() })
    }

    /// Sends a request in full.
    pub fn send(&mut self, call: &Call<'_>) -> Result<Response, ClientError> {
        let fresh;
        let mut call = *call;
        if call.idempotency_key.is_none() && matches!(call.method, "POST" | "PUT" | "DELETE") {
            fresh = new_idempotency_key()?;
            call.idempotency_key = Some(&fresh);
        }
        self.write_request(&call);
        if let Some(mut connection) = self.connection.take()
            && let Ok(response) = self.exchange(&mut connection)
        {
            self.keep(connection, &response);
            return Ok(response);
        }
        let mut connection = self.connect()?;
        let response = self.exchange(&mut connection)?;
        self.keep(connection, &response);
        Ok(response)
    }

    fn write_request(&mut self, call: &Call<'_>) {
        let (path, query) = match call.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (call.target, None),
        };
        let out = &mut self.sent;
        out.clear();
        for part in [call.method, " ", call.target, " HTTP/1.1\r\nHost: ", &self.authority] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if !call.body.is_empty() || matches!(call.method, "POST" | "PUT") {
            let length = call.body.len();
            out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            out.extend_from_slice(b"Content-Type: application/json\r\n");
        }
        for (name, value) in call.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let parts = RequestParts {
            method: call.method,
            authority: &self.authority,
            path,
            query,
            body: call.body,
            idempotency_key: call.idempotency_key,
        };
        match &self.signer {
            Some(signer) => signer.sign_into(out, &parts, now_s()),
            None => {
                if let Some(key) = call.idempotency_key {
                    out.extend_from_slice(format!("Idempotency-Key: {key}\r\n").as_bytes());
                }
            }
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(call.body);
    }

    fn connect(&mut self) -> Result<Stream, ClientError> {
        let stream = self.connect_tcp()?;
        if self.secure { self.secure(stream) } else { Ok(Stream::Plain(stream)) }
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn secure(&self, _stream: TcpStream) -> Result<Stream, ClientError> {
        unreachable!("`new` takes no such URL")
    }

    #[cfg(feature = "tls")]
    fn secure(&mut self, stream: TcpStream) -> Result<Stream, ClientError> {
        let trust = match &self.trust {
            Some(trust) => trust.clone(),
            None => self.trust.insert(crate::transport::Trust::system()?).clone(),
        };
        let name = crate::transport::server_name(&self.authority)
            .ok_or_else(|| ClientError::Url { url: format!("https://{}", self.authority) })?;
        crate::transport::shake_hands(trust.client_config(), name, stream)
            .map_err(|source| self.io_error("shake hands with", source))
    }

    fn connect_tcp(&self) -> Result<TcpStream, ClientError> {
        let attempt = || -> std::io::Result<TcpStream> {
            let with_port = if self.authority.rsplit(']').next().unwrap_or("").contains(':') {
                self.authority.clone()
            } else {
                format!("{}:{}", self.authority, if self.secure { 443 } else { 80 })
            };
            let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
            for address in with_port.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, self.timeout) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(self.timeout))?;
                        stream.set_write_timeout(Some(self.timeout))?;
                        return Ok(stream);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        attempt().map_err(|source| self.io_error("connect to", source))
    }

    fn exchange(&mut self, connection: &mut Stream) -> Result<Response, ClientError> {
        connection
            .write_all(&self.sent)
            .and_then(|()| connection.flush())
            .map_err(|source| self.io_error("write to", source))?;
        self.received.clear();
        loop {
            let (head_bytes, mut response) = self.read_head(connection)?;
            if response.status == 100 {
                self.received.drain(..head_bytes);
                continue;
            }
            self.received.drain(..head_bytes);
            response.body = self.read_body(connection, &response)?;
            return Ok(response);
        }
    }

    fn read_head(&mut self, connection: &mut Stream) -> Result<(usize, Response), ClientError> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut parsed = httparse::Response::new(&mut headers);
            match parsed.parse(&self.received) {
                Ok(httparse::Status::Complete(head_bytes)) => {
                    let headers = parsed
                        .headers
                        .iter()
                        .map(|header| {
                            let value = String::from_utf8_lossy(header.value).into_owned();
                            (header.name.to_ascii_lowercase(), value)
                        })
                        .collect();
                    let status = parsed.code.unwrap_or(0);
                    return Ok((head_bytes, Response { status, headers, body: Vec::new() }));
                }
                Ok(httparse::Status::Partial) if self.received.len() < HEAD_BYTES_MAX => {}
                Ok(httparse::Status::Partial) => {
                    return Err(self.answer_error("its head is too large".to_owned()));
                }
                Err(error) => return Err(self.answer_error(error.to_string())),
            }
            self.read_more(connection)?;
        }
    }

    fn read_body(
        &mut self,
        connection: &mut Stream,
        response: &Response,
    ) -> Result<Vec<u8>, ClientError> {
        if response.status == 204 || response.status == 304 {
            return Ok(Vec::new());
        }
        let length = response.header("content-length").and_then(|text| text.parse().ok());
        let length: usize = length
            .filter(|&length| length <= ANSWER_BYTES_MAX)
            .ok_or_else(|| self.answer_error("no usable content-length".to_owned()))?;
        while self.received.len() < length {
            self.read_more(connection)?;
        }
        Ok(self.received.drain(..length).collect())
    }

    fn read_more(&mut self, connection: &mut Stream) -> Result<(), ClientError> {
        let mut chunk = [0; 8192];
        let count = loop {
            match connection.read(&mut chunk) {
                // A process that was stopped and goes on: the answer may still come.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.map_err(|source| self.io_error("read from", source))?,
            }
        };
        if count == 0 {
            let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(self.io_error("read from", source));
        }
        self.received.extend_from_slice(&chunk[..count]);
        Ok(())
    }

    fn keep(&mut self, connection: Stream, response: &Response) {
        let closes =
            response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes {
            self.connection = Some(connection);
        }
    }

    fn io_error(&self, action: &'static str, source: std::io::Error) -> ClientError {
        ClientError::Io { action, authority: self.authority.clone(), source }
    }

    fn answer_error(&self, reason: String) -> ClientError {
        ClientError::Answer { authority: self.authority.clone(), reason }
    }
}

/// A fresh version 4 UUID.
pub fn new_idempotency_key() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return Err(ClientError::Random);
    }
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
