//! The addresses a node serves on: claimed before anything that takes long, listened on by every
//! core once the store is open.
//!
//! Owns what a refused address is told to whoever starts the node. Does not know how the claim is
//! kept: see [`ClaimedAddress`].

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::ring::{ClaimedAddress, RingError, backlog_count_max};

use super::error::{BootError, chain};

/// Connections that may wait to be accepted on each core, where the kernel allows as many.
const BACKLOG_COUNT: i32 = 8192;
/// How long a start waits for an address that a killed node may still have.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(3);
const RELEASE_LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What a node has claimed.
#[derive(Debug)]
pub struct NodeAddresses {
    plain: ClaimedAddress,
    encrypted: Option<ClaimedAddress>,
}

/// The sockets of one core.
#[derive(Debug)]
pub struct CoreListeners {
    /// For plain HTTP and the wire protocol.
    pub plain: TcpListener,
    /// For the same behind TLS.
    pub encrypted: Option<TcpListener>,
}

impl NodeAddresses {
    /// Claims what `config` names, and writes the ports there that the kernel chose for port 0.
    ///
    /// # Errors
    /// [`BootError::Listen`] where somebody has the address.
    pub fn claim(config: &mut Config) -> Result<Self, BootError> {
        let plain = claim(&mut config.node.listen)?;
        let encrypted = config.tls.as_mut().map(|tls| claim(&mut tls.listen)).transpose()?;
        Ok(Self { plain, encrypted })
    }

    /// Listens, with a socket of each address for each of `cores_count` cores.
    ///
    /// # Errors
    /// [`BootError::Listen`] where somebody has taken an address since.
    pub fn listen(self, cores_count: usize) -> Result<Vec<CoreListeners>, BootError> {
        let backlog_count = backlog_count();
        let open = |claimed: ClaimedAddress| {
            let address = claimed.address();
            claimed.listen(cores_count, backlog_count).map_err(|error| refused(address, &error))
        };
        let plain = open(self.plain)?;
        let mut encrypted = self.encrypted.map(open).transpose()?.unwrap_or_default().into_iter();
        Ok(plain
            .into_iter()
            .map(|plain| CoreListeners { plain, encrypted: encrypted.next() })
            .collect())
    }
}

/// A node that was killed has its address until the kernel has ended what its rings had in flight,
/// which goes on behind the end of the process: whoever starts it again at once waits for that.
fn claim(address: &mut SocketAddr) -> Result<ClaimedAddress, BootError> {
    let began = Instant::now();
    loop {
        match ClaimedAddress::claim(*address) {
            Ok(claimed) => {
                *address = claimed.address();
                return Ok(claimed);
            }
            Err(error) if is_in_use(&error) && began.elapsed() < RELEASE_WAIT_MAX => {
                std::thread::sleep(RELEASE_LOOK_AGAIN);
            }
            Err(error) => return Err(refused(*address, &error)),
        }
    }
}

fn is_in_use(error: &RingError) -> bool {
    matches!(error, RingError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse)
}

fn refused(address: SocketAddr, error: &RingError) -> BootError {
    let reason = if is_in_use(error) {
        format!(
            "another program listens there, perhaps another node; `ss -ltnp 'sport = :{}'` shows \
             which: stop it, or choose another address",
            address.port()
        )
    } else {
        chain(error)
    };
    BootError::Listen { address, reason }
}

fn backlog_count() -> i32 {
    let count = backlog_count_max().map_or(BACKLOG_COUNT, |max| BACKLOG_COUNT.min(max));
    if count < BACKLOG_COUNT {
        log::info!(
            "{count} connections may wait to be accepted on each core; more at once lose a second \
             each: raise net.core.somaxconn to {BACKLOG_COUNT} where bursts come"
        );
    }
    count
}
