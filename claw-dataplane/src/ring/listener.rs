//! An address that one node has to itself, and the sockets of its cores that listen on it.
//!
//! Owns the socket options: `SO_REUSEPORT` (the kernel spreads connections over the cores),
//! `SO_REUSEADDR` (a restart does not wait for old connections), `TCP_NODELAY` (inherited by what
//! is accepted; answers are written whole). Does not accept: see [`super::CoreRing::listen`].
//!
//! `SO_REUSEPORT` would let a second node of the same user listen beside the first and get half of
//! its connections without a word. So the first socket is bound and listens without the option,
//! which the kernel refuses where anybody listens already; only then is it switched on, and the
//! other cores' sockets join.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::RingError;

/// An address bound by nobody else that listens, which does not listen itself yet: who connects
/// is refused, as before a node is started.
#[derive(Debug)]
pub struct ClaimedAddress {
    socket: OwnedFd,
    address: SocketAddr,
}

impl ClaimedAddress {
    /// Claims `address`; port 0 lets the kernel choose one.
    ///
    /// # Errors
    /// [`RingError::Listen`] where somebody listens there, with more than one socket or one.
    pub fn claim(address: SocketAddr) -> Result<Self, RingError> {
        bind_alone(address).map_err(|source| RingError::Listen { address, source })
    }

    /// Where, with the port that the kernel chose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens with `sockets_count` sockets (at least one), one a core. `backlog_count` connections
    /// may wait on each; the kernel clamps it to `somaxconn`.
    ///
    /// # Errors
    /// [`RingError::Listen`] where somebody listens there by now.
    pub fn listen(
        self,
        sockets_count: usize,
        backlog_count: i32,
    ) -> Result<Vec<TcpListener>, RingError> {
        let address = self.address;
        self.open_all(sockets_count, backlog_count)
            .map_err(|source| RingError::Listen { address, source })
    }

    fn open_all(self, sockets_count: usize, backlog_count: i32) -> io::Result<Vec<TcpListener>> {
        // The kernel looks for other listeners once more here, so of two that claimed the address
        // before either listened, one gets it.
        start_listening(&self.socket, backlog_count)?;
        set_option(&self.socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
        let mut listeners = vec![TcpListener::from(self.socket)];
        while listeners.len() < sockets_count {
            let socket = open_socket(self.address)?;
            set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
            set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
            bind(&socket, self.address)?;
            start_listening(&socket, backlog_count)?;
            listeners.push(TcpListener::from(socket));
        }
        Ok(listeners)
    }
}

fn bind_alone(address: SocketAddr) -> io::Result<ClaimedAddress> {
    let socket = open_socket(address)?;
    // With the option the kernel might choose a port that somebody has bound and not listened on.
    if address.port() != 0 {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    }
    bind(&socket, address)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    let bound = TcpListener::from(socket);
    Ok(ClaimedAddress { address: bound.local_addr()?, socket: OwnedFd::from(bound) })
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let address = SocketAddress::from(address);
    // SAFETY: the address is valid for the length given and only read.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.length()) })
}

fn start_listening(socket: &OwnedFd, backlog_count: i32) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    // SAFETY: the descriptor is open.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog_count) })
}

/// Most connections the kernel lets wait, whatever is asked; `None` where it does not say.
pub fn backlog_count_max() -> Option<i32> {
    std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?.trim().parse().ok()
}

/// A TCP socket of the address's family.
pub(super) fn open_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    check(fd)?;
    // SAFETY: the descriptor was just made and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Switches an on/off option on.
pub(super) fn set_option(socket: &OwnedFd, level: i32, option: i32) -> io::Result<()> {
    let on: i32 = 1;
    // SAFETY: the value is an i32, valid for its size and only read.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of_u32::<i32>(),
        )
    })
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("small types only")
}

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
pub(super) enum SocketAddress {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl SocketAddress {
    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        match self {
            Self::V4(address) => (&raw const *address).cast(),
            Self::V6(address) => (&raw const *address).cast(),
        }
    }

    pub(super) fn length(&self) -> libc::socklen_t {
        match self {
            Self::V4(_) => size_of_u32::<libc::sockaddr_in>(),
            Self::V6(_) => size_of_u32::<libc::sockaddr_in6>(),
        }
    }
}

impl std::fmt::Debug for SocketAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::V4(_) => "SocketAddress::V4",
            Self::V6(_) => "SocketAddress::V6",
        })
    }
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => Self::V4(libc::sockaddr_in {
                sin_family: family(libc::AF_INET),
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(address) => Self::V6(libc::sockaddr_in6 {
                sin6_family: family(libc::AF_INET6),
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            }),
        }
    }
}

fn family(value: i32) -> libc::sa_family_t {
    libc::sa_family_t::try_from(value).expect("address families are small")
}
