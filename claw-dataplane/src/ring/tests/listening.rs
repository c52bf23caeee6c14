//! One node an address: whoever comes second is refused, and all sockets of the first are served.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::ClaimedAddress;
use crate::ring::RingError;

fn claim_loopback() -> ClaimedAddress {
    ClaimedAddress::claim(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

fn is_in_use(error: &RingError) -> bool {
    matches!(error, RingError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse)
}

#[test]
fn address_on_which_several_cores_listen_is_refused_to_a_second_node() {
    let claimed = claim_loopback();
    let address = claimed.address();
    let first = claimed.listen(2, 16).unwrap();
    let refused = ClaimedAddress::claim(address).unwrap_err();
    assert!(is_in_use(&refused), "{refused:?}");
    drop(first);
    ClaimedAddress::claim(address).unwrap().listen(2, 16).unwrap();
}

#[test]
fn of_two_that_claimed_before_either_listened_one_gets_the_address() {
    let first = claim_loopback();
    let address = first.address();
    let second = ClaimedAddress::claim(address).unwrap();
    let listeners = first.listen(2, 16).unwrap();
    let refused = second.listen(2, 16).unwrap_err();
    assert!(is_in_use(&refused), "{refused:?}");
    drop(listeners);
}

#[test]
fn claimed_address_refuses_connections_until_it_listens() {
    let claimed = claim_loopback();
    let address = claimed.address();
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let _listeners = claimed.listen(1, 16).unwrap();
    TcpStream::connect(address).unwrap();
}

#[test]
fn port_that_the_kernel_chooses_is_not_one_that_is_claimed() {
    let claimed: Vec<_> = (0..64).map(|_| claim_loopback()).collect();
    let mut ports: Vec<_> = claimed.iter().map(|claimed| claimed.address().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 64);
}

#[test]
fn address_is_had_again_while_old_connections_linger() {
    let claimed = claim_loopback();
    let address = claimed.address();
    let listeners = claimed.listen(1, 16).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listeners[0].accept().unwrap();
    // Closed by the server first, so the old connection waits on its side.
    drop(server);
    drop(listeners);
    ClaimedAddress::claim(address).unwrap().listen(1, 16).unwrap();
    drop(client);
}

#[test]
fn every_socket_of_the_address_gets_connections() {
    let claimed = claim_loopback();
    let address = claimed.address();
    let listeners = claimed.listen(2, 512).unwrap();
    let clients: Vec<_> = (0..256).map(|_| TcpStream::connect(address).unwrap()).collect();
    let accepted: Vec<usize> = listeners.iter().map(accept_all).collect();
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
    assert_eq!(accepted.iter().sum::<usize>(), clients.len());
}

fn accept_all(listener: &TcpListener) -> usize {
    listener.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| listener.accept().ok()).count()
}
