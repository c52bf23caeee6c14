//! What every handshake of a node shares: certificate chain, key, tickets, protocols.
//!
//! Made from PEM text; who reads the files and when is the node's business. The key stays inside.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};

use super::error::IdentityError;

/// The application protocols a node speaks, the preferred one first. A client that names none
/// gets HTTP/1.1; one that names only others is refused with `no_application_protocol`. What a
/// connection speaks is said by its first bytes all the same.
pub const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"claw/1"];

/// Shared by all sessions that begin while it is in force.
pub type Identity = Arc<ServerConfig>;

/// From a chain, the node's own certificate first, and its private key, both PEM.
pub fn identify(chain_pem: &[u8], key_pem: &[u8]) -> Result<Identity, IdentityError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
        .collect::<Result<_, _>>()
        .map_err(IdentityError::Chain)?;
    if chain.is_empty() {
        return Err(IdentityError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(IdentityError::Key)?;
    // The client's order decides on the key exchange: the hybrid one (X25519MLKEM768) where it is
    // preferred, else a curve.
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                IdentityError::Mismatch
            }
            other => IdentityError::Unusable(other),
        })?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(IdentityError::Tickets)?;
    // Zero is the default as well: see the module's essay on 0-RTT.
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}
