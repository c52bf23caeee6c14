//! What carries a client's bytes: TCP as it is, or TLS over it (feature `tls`).
//!
//! [`Trust`] says which certificates a client believes: those of a PEM file, or the system's. TLS
//! 1.3 alone, as a node speaks it; earlier sessions are resumed as long as a `Trust` is kept.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(feature = "tls")]
pub(crate) use secure::shake_hands;
#[cfg(feature = "tls")]
pub use secure::{Trust, TrustError, server_name};

#[cfg(feature = "tls")]
mod secure {
    use std::io;
    use std::net::TcpStream;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    /// Where Debian and Fedora keep the certificates that everybody trusts.
    const SYSTEM_BUNDLES: [&str; 2] =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
    /// What a node speaks beneath TLS: this, or the wire protocol (RFC 7301).
    const HTTP: &[u8] = b"http/1.1";
    const WIRE: &[u8] = b"claw/1";

    /// Certificates that cannot be used.
    #[derive(Debug, thiserror::Error)]
    pub enum TrustError {
        /// The file.
        #[error("read the certificates in {path}")]
        Read {
            /// Which.
            path: PathBuf,
            /// Why.
            #[source]
            source: io::Error,
        },
        /// The text.
        #[error("no certificate in PEM is there: give the authority's, or the node's own")]
        None,
        /// A certificate.
        #[error("use a certificate: {0}")]
        Unusable(#[source] rustls::Error),
        /// The system has no list.
        #[error("this system has no list of certificates where we look for one: name a file")]
        NoSystem,
    }

    /// Which certificates a client believes.
    #[derive(Clone, Debug)]
    pub struct Trust {
        config: Arc<ClientConfig>,
    }

    impl Trust {
        /// Those of a PEM text: an authority's, or a node's own.
        pub fn pem(certificates: &[u8]) -> Result<Self, TrustError> {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(certificates) {
                let certificate = certificate.map_err(|_pem| TrustError::None)?;
                roots.add(certificate).map_err(TrustError::Unusable)?;
            }
            if roots.is_empty() {
                return Err(TrustError::None);
            }
            Self::roots(roots)
        }

        /// Those of a PEM file.
        pub fn file(path: &Path) -> Result<Self, TrustError> {
            let text = std::fs::read(path)
                .map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
            Self::pem(&text)
        }

        /// Those that everybody on this system believes.
        pub fn system() -> Result<Self, TrustError> {
            let path = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.is_file());
            let path = path.ok_or(TrustError::NoSystem)?;
            let text = std::fs::read(path)
                .map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
            let mut roots = RootCertStore::empty();
            // One that we cannot read is one that we do not trust.
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).flatten());
            Self::roots(roots)
        }

        fn roots(roots: RootCertStore) -> Result<Self, TrustError> {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS13])
                .map_err(TrustError::Unusable)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![HTTP.to_vec()];
            Ok(Self { config: Arc::new(config) })
        }

        /// For clients with an event loop of their own.
        pub fn client_config(&self) -> Arc<ClientConfig> {
            Arc::clone(&self.config)
        }

        /// The same for the wire protocol.
        pub fn wire_client_config(&self) -> Arc<ClientConfig> {
            let mut config = ClientConfig::clone(&self.config);
            config.alpn_protocols = vec![WIRE.to_vec()];
            Arc::new(config)
        }
    }

    /// Shakes hands over `tcp` with the one whose certificate must have `name`. A certificate that
    /// is not believed is [`io::ErrorKind::InvalidData`].
    pub(crate) fn shake_hands(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        tcp: TcpStream,
    ) -> io::Result<super::Stream> {
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(super::Stream::Tls(Box::new(stream)))
    }

    /// The name that the certificate of `authority` (`HOST` or `HOST:PORT`) must have.
    pub fn server_name(authority: &str) -> Option<ServerName<'static>> {
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next()?,
            None => authority.rsplit_once(':').map_or(authority, |(host, _port)| host),
        };
        ServerName::try_from(host.to_owned()).ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_are_what_stands_before_the_port() {
            let rows = [
                ("shop.example", "shop.example"),
                ("shop.example:7443", "shop.example"),
                ("127.0.0.1:7443", "127.0.0.1"),
                ("[::1]:7443", "::1"),
                ("[::1]", "::1"),
            ];
            for (authority, name) in rows {
                assert_eq!(server_name(authority).unwrap().to_str(), name, "{authority}");
            }
            assert!(server_name("no such name").is_none());
        }

        #[test]
        fn text_without_a_certificate_is_trusted_by_nobody() {
            assert!(matches!(Trust::pem(b""), Err(TrustError::None)));
            assert!(matches!(Trust::pem(b"hello"), Err(TrustError::None)));
        }
    }
}
