//! Listening sockets that several cores share.
//!
//! Owns the socket options: `SO_REUSEPORT` (the kernel spreads connections over the cores),
//! `SO_REUSEADDR` (a restart does not wait for old connections), `TCP_NODELAY` (inherited by what
//! is accepted; answers are written whole). Does not accept: see [`super::CoreRing::listen`].

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::RingError;

/// How to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenShape {
    /// Where; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Connections that may wait for being accepted; the kernel clamps it to `somaxconn`.
    pub backlog_count: i32,
}

/// A socket that listens. Other cores may listen on the same address.
pub fn listen(shape: ListenShape) -> Result<TcpListener, RingError> {
    open_listener(shape).map_err(|source| RingError::Listen { address: shape.address, source })
}

fn open_listener(shape: ListenShape) -> io::Result<TcpListener> {
    let socket = open_socket(shape.address)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    let address = SocketAddress::from(shape.address);
    // SAFETY: the address is valid for the length given and only read.
    check(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.length()) })?;
    // SAFETY: the descriptor is open.
    check(unsafe { libc::listen(socket.as_raw_fd(), shape.backlog_count) })?;
    Ok(TcpListener::from(socket))
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
