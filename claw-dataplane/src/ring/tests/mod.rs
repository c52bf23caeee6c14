//! The ring against the real kernel: loopback sockets, temporary files, two threads.

mod hosted;
mod listening;
mod parking;
mod sockets;
mod storage;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::{ClaimedAddress, Completion, CoreRing, RingShape};
use crate::buffer::ReceiveShape;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn small_ring() -> CoreRing {
    ring_with_receive(ReceiveShape { buffers_count: 64, buffer_bytes: 1024, resume_count: 16 })
}

fn ring_with_receive(receive: ReceiveShape) -> CoreRing {
    CoreRing::new(RingShape { core: 0, entries_count: 64, connections_max: 128, receive }).unwrap()
}

fn loopback_listener() -> (TcpListener, SocketAddr) {
    let claimed = ClaimedAddress::claim(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = claimed.address();
    (claimed.listen(1, 1024).unwrap().remove(0), address)
}

/// A folder on the disk that holds the build: a memory filesystem is no place for direct files.
fn disk_folder() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}

/// The next completion, waiting for it on this thread.
fn next(ring: &mut CoreRing) -> Completion {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(completion) = ring.pop().unwrap() {
            return completion;
        }
        assert!(std::time::Instant::now() < deadline, "no completion came");
        ring.wait(Duration::from_millis(100)).unwrap();
    }
}
