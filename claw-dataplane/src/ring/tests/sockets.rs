//! Accept, receive, send, close.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::super::{Completion, ConnectionId, CoreRing, ReceiveEnd, RingShape};
use super::{loopback_listener, next, ring_with_receive, small_ring};
use crate::buffer::ReceiveShape;

/// Echoes until `closes_count` connections have closed.
struct Echo {
    pending: BTreeMap<ConnectionId, Vec<u8>>,
    ended: Vec<ConnectionId>,
    closes_count: usize,
}

impl Echo {
    fn new() -> Self {
        Self { pending: BTreeMap::new(), ended: Vec::new(), closes_count: 0 }
    }

    fn handle(&mut self, ring: &mut CoreRing, completion: Completion) {
        match completion {
            Completion::Accepted { connection, .. } => ring.receive(connection).unwrap(),
            Completion::Received { connection, buffer } => {
                self.pending.entry(connection).or_default().extend_from_slice(&buffer);
                self.flush(ring, connection);
            }
            Completion::Sent { connection, result, .. } => {
                result.unwrap();
                self.flush(ring, connection);
            }
            Completion::ReceiveEnded { connection, end } => {
                assert!(matches!(end, ReceiveEnd::Finished), "{end:?}");
                self.ended.push(connection);
                self.flush(ring, connection);
            }
            Completion::Closed { .. } => self.closes_count += 1,
            other => panic!("unexpected {other:?}"),
        }
    }

    fn flush(&mut self, ring: &mut CoreRing, connection: ConnectionId) {
        if !ring.may_send(connection) {
            return;
        }
        if let Some(bytes) = self.pending.remove(&connection) {
            ring.send(connection, bytes).unwrap();
        } else if self.ended.contains(&connection) {
            ring.close(connection).unwrap();
        }
    }

    fn run(&mut self, ring: &mut CoreRing, closes_count: usize) {
        while self.closes_count < closes_count {
            let completion = next(ring);
            self.handle(ring, completion);
        }
    }
}

fn echo_client(address: SocketAddr, seed: u8, messages_count: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    for number in 0..messages_count {
        let length = 1 + (number * 37 + usize::from(seed)) % 3000;
        let sent = vec![seed; length];
        stream.write_all(&sent).unwrap();
        let mut received = vec![0; length];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(sent, received);
    }
}

fn client_thread(work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().spawn(work).unwrap()
}

#[test]
fn many_connections_get_their_own_bytes_back() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let clients: Vec<_> =
        (0..64_u8).map(|seed| client_thread(move || echo_client(address, seed, 50))).collect();
    Echo::new().run(&mut ring, 64);
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(ring.connections_count(), 0);
    assert_eq!(ring.receive_buffers_lent_count(), 64);
    assert_eq!(ring.metrics().overflows_count, 0);
}

#[test]
fn receiving_resumes_after_a_flood_took_every_buffer() {
    let mut ring =
        ring_with_receive(ReceiveShape { buffers_count: 8, buffer_bytes: 512, resume_count: 4 });
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let total_bytes = 256 * 1024;
    let client = client_thread(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&vec![7; total_bytes]).unwrap();
    });
    let mut held = Vec::new();
    let mut received_bytes = 0;
    loop {
        // Whoever holds buffers holds the sender back: let go only when nothing more comes.
        if ring.receive_buffers_lent_count() == 0 {
            while ring.metrics().receives_starved_count == 0 {
                ring.wait(Duration::from_millis(1)).unwrap();
                assert!(ring.pop().unwrap().is_none());
            }
            held.clear();
        }
        match next(&mut ring) {
            Completion::Accepted { connection, .. } => ring.receive(connection).unwrap(),
            Completion::Received { buffer, .. } => {
                assert!(buffer.iter().all(|byte| *byte == 7));
                received_bytes += buffer.len();
                held.push(buffer);
            }
            Completion::ReceiveEnded { end, .. } => {
                assert!(matches!(end, ReceiveEnd::Finished), "{end:?}");
                break;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    client.join().unwrap();
    assert_eq!(received_bytes, total_bytes);
    assert!(ring.metrics().receives_starved_count > 0);
}

#[test]
fn paused_connection_receives_nothing_until_resumed() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let Completion::Accepted { connection, .. } = next(&mut ring) else {
        panic!("an accept comes first");
    };
    ring.receive(connection).unwrap();
    ring.turn().unwrap();
    ring.pause_receive(connection).unwrap();
    // The timer comes after the cancellation, so the pause is in force once it fires.
    ring.set_timer(Duration::from_millis(20), 1).unwrap();
    assert!(matches!(next(&mut ring), Completion::TimerFired { token: 1, .. }));
    stream.write_all(b"hello").unwrap();
    ring.set_timer(Duration::from_millis(20), 2).unwrap();
    assert!(matches!(next(&mut ring), Completion::TimerFired { token: 2, .. }));
    ring.receive(connection).unwrap();
    let Completion::Received { buffer, .. } = next(&mut ring) else {
        panic!("the bytes come now");
    };
    assert_eq!(&*buffer, b"hello");
}

#[test]
fn resume_straight_after_a_pause_loses_nothing() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let Completion::Accepted { connection, .. } = next(&mut ring) else {
        panic!("an accept comes first");
    };
    ring.receive(connection).unwrap();
    ring.turn().unwrap();
    for _ in 0..3 {
        ring.pause_receive(connection).unwrap();
        ring.receive(connection).unwrap();
    }
    stream.write_all(b"hello").unwrap();
    let Completion::Received { buffer, .. } = next(&mut ring) else {
        panic!("the bytes come");
    };
    assert_eq!(&*buffer, b"hello");
}

#[test]
fn rings_connect_to_each_other() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let client = ring.connect(address).unwrap();
    let mut server = None;
    let mut connected = false;
    while server.is_none() || !connected {
        match next(&mut ring) {
            Completion::Accepted { connection, .. } => server = Some(connection),
            Completion::Connected { connection, result } => {
                assert_eq!(connection, client);
                result.unwrap();
                connected = true;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    let server = server.unwrap();
    ring.receive(server).unwrap();
    ring.send(client, b"ping".to_vec()).unwrap();
    let mut arrived = Vec::new();
    let mut sent = false;
    while arrived != b"ping" || !sent {
        match next(&mut ring) {
            Completion::Sent { buffer, result, .. } => {
                result.unwrap();
                assert_eq!(buffer, b"ping");
                sent = true;
            }
            Completion::Received { buffer, .. } => arrived.extend_from_slice(&buffer),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[test]
fn refused_connection_is_an_answer() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    drop(socket);
    let client = ring.connect(address).unwrap();
    let Completion::Connected { connection, result } = next(&mut ring) else {
        panic!("an answer comes");
    };
    assert_eq!(connection, client);
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    ring.close(client).unwrap();
    assert!(matches!(next(&mut ring), Completion::Closed { .. }));
}

#[test]
fn closed_connection_reports_nothing_but_closed() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let Completion::Accepted { connection, .. } = next(&mut ring) else {
        panic!("an accept comes first");
    };
    ring.receive(connection).unwrap();
    ring.send(connection, b"bye".to_vec()).unwrap();
    ring.close(connection).unwrap();
    ring.send(connection, b"never".to_vec()).unwrap();
    let Completion::Closed { connection: closed } = next(&mut ring) else {
        panic!("only the end is reported");
    };
    assert_eq!(closed, connection);
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"bye");
    assert_eq!(ring.connections_count(), 0);
}

#[test]
fn answer_larger_than_the_socket_holds_is_delivered_before_the_close() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let size_bytes = 16 << 20;
    let client = client_thread(move || {
        let mut received = Vec::new();
        TcpStream::connect(address).unwrap().read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), size_bytes);
    });
    let Completion::Accepted { connection, .. } = next(&mut ring) else {
        panic!("an accept comes first");
    };
    ring.receive(connection).unwrap();
    ring.send(connection, vec![5; size_bytes]).unwrap();
    ring.close(connection).unwrap();
    assert!(matches!(next(&mut ring), Completion::Closed { .. }));
    client.join().unwrap();
}

#[test]
fn peer_that_does_not_read_cannot_hold_an_aborted_connection() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let _silent = TcpStream::connect(address).unwrap();
    let Completion::Accepted { connection, .. } = next(&mut ring) else {
        panic!("an accept comes first");
    };
    ring.receive(connection).unwrap();
    ring.send(connection, vec![5; 64 << 20]).unwrap();
    ring.close(connection).unwrap();
    ring.set_timer(Duration::from_millis(20), 1).unwrap();
    assert!(matches!(next(&mut ring), Completion::TimerFired { .. }));
    ring.abort(connection).unwrap();
    assert!(matches!(next(&mut ring), Completion::Closed { .. }));
}

#[test]
fn connections_above_the_bound_are_closed_at_once() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let streams: Vec<_> = (0..128).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..128 {
        assert!(matches!(next(&mut ring), Completion::Accepted { .. }));
    }
    let mut refused = TcpStream::connect(address).unwrap();
    while ring.metrics().accepts_refused_count == 0 {
        ring.wait(Duration::from_millis(10)).unwrap();
        assert!(ring.pop().unwrap().is_none());
    }
    assert_eq!(refused.read(&mut [0; 1]).unwrap(), 0);
    drop(streams);
}

#[test]
fn stopped_listener_accepts_no_more() {
    let mut ring = small_ring();
    let (socket, address) = loopback_listener();
    let listener = ring.listen(socket).unwrap();
    ring.turn().unwrap();
    ring.stop_listening(listener).unwrap();
    ring.set_timer(Duration::from_millis(20), 1).unwrap();
    assert!(matches!(next(&mut ring), Completion::TimerFired { .. }));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn ring_dropped_under_traffic_lets_go_of_everything() {
    let (socket, address) = loopback_listener();
    let client = {
        let mut ring = small_ring();
        ring.listen(socket).unwrap();
        let client = client_thread(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            while stream.write_all(&[1; 4096]).is_ok() {}
        });
        let Completion::Accepted { connection, .. } = next(&mut ring) else {
            panic!("an accept comes first");
        };
        ring.receive(connection).unwrap();
        assert!(matches!(next(&mut ring), Completion::Received { .. }));
        client
    };
    // The socket is closed, so the flood ends.
    client.join().unwrap();
}

#[test]
fn connection_that_nobody_looked_at_is_closed_with_the_ring() {
    let (socket, address) = loopback_listener();
    let mut ring = small_ring();
    ring.listen(socket).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    while ring.turn().unwrap() == 0 {
        ring.wait(Duration::from_millis(10)).unwrap();
    }
    drop(ring);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_thousand_connections_share_a_few_buffers() {
    let connections_count = 1000;
    let mut ring = CoreRing::new(RingShape {
        connections_max: connections_count,
        receive: ReceiveShape { buffers_count: 16, buffer_bytes: 256, resume_count: 4 },
        ..RingShape::default()
    })
    .unwrap();
    let (socket, address) = loopback_listener();
    ring.listen(socket).unwrap();
    let client = client_thread(move || {
        let mut streams: Vec<_> =
            (0..connections_count).map(|_| TcpStream::connect(address).unwrap()).collect();
        for round in 0..5_u8 {
            for stream in &mut streams {
                stream.write_all(&[round; 300]).unwrap();
            }
            for stream in &mut streams {
                let mut received = [0; 300];
                stream.read_exact(&mut received).unwrap();
                assert_eq!(received, [round; 300]);
            }
        }
    });
    Echo::new().run(&mut ring, connections_count);
    client.join().unwrap();
    assert_eq!(ring.receive_buffers_lent_count(), 16);
    assert_eq!(ring.metrics().overflows_count, 0);
}
