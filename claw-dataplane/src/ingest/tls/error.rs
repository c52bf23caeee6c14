//! Why a certificate cannot be served, and why a session ended.
//!
//! The second is for counters only: whom it happened to and what they sent is nobody's business.

/// A certificate and key that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The chain is not PEM.
    #[error("read the certificate chain: {0}")]
    Chain(#[source] rustls::pki_types::pem::Error),
    /// The file holds no certificate.
    #[error("the file holds no certificate: give the chain in PEM, your own certificate first")]
    Empty,
    /// The key is not PEM, or not there.
    #[error("read the private key: {0}; give one in PEM (PKCS#8, PKCS#1 or SEC1)")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// The two do not belong together.
    #[error(
        "the key is not that of the first certificate in the file: give the pair, and in the chain \
         your own certificate first, then those that issued it"
    )]
    Mismatch,
    /// The key's kind, or the certificate, cannot be used.
    #[error("use the certificate and its key: {0}")]
    Unusable(#[source] rustls::Error),
    /// The system gave no randomness.
    #[error("make keys for session tickets: {0}")]
    Tickets(#[source] rustls::Error),
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No version, cipher or key exchange in common.
    #[error("nothing in common with the client")]
    Incompatible,
    /// No application protocol in common.
    #[error("no application protocol in common with the client")]
    NoProtocol,
    /// The client ended it with an alert: it does not trust the certificate, say.
    #[error("the client sent an alert")]
    Alert,
    /// What came is no TLS, or does not decrypt.
    #[error("the client's bytes are no TLS")]
    Garbled,
    /// The client broke the protocol's rules.
    #[error("the client broke the rules of TLS")]
    Misbehaved,
    /// The handshake was not over in time.
    #[error("the handshake took too long")]
    Late,
    /// A plain HTTP request.
    #[error("the client spoke plain HTTP")]
    PlainHttp,
    /// Anything else.
    #[error("the session failed")]
    Other,
}

impl SessionError {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Incompatible,
        Self::NoProtocol,
        Self::Alert,
        Self::Garbled,
        Self::Misbehaved,
        Self::Late,
        Self::PlainHttp,
        Self::Other,
    ];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incompatible => "incompatible",
            Self::NoProtocol => "no-protocol",
            Self::Alert => "alert",
            Self::Garbled => "garbled",
            Self::Misbehaved => "misbehaved",
            Self::Late => "late",
            Self::PlainHttp => "plain-http",
            Self::Other => "other",
        }
    }
}

impl From<&rustls::Error> for SessionError {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::PeerIncompatible(_) => Self::Incompatible,
            rustls::Error::NoApplicationProtocol => Self::NoProtocol,
            rustls::Error::AlertReceived(_) => Self::Alert,
            rustls::Error::InvalidMessage(_)
            | rustls::Error::DecryptError
            | rustls::Error::PeerSentOversizedRecord => Self::Garbled,
            rustls::Error::PeerMisbehaved(_)
            | rustls::Error::InappropriateMessage { .. }
            | rustls::Error::InappropriateHandshakeMessage { .. } => Self::Misbehaved,
            _ => Self::Other,
        }
    }
}
