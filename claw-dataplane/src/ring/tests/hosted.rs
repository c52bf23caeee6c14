//! The ring inside a glommio executor, with regressions for the ways in which glommio 0.9 stalls.

use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use glommio::io::{DmaFile, OpenOptions};
use glommio::{LocalExecutorBuilder, Placement};

use super::super::{
    Completion, CoreRing, GLOMMIO_IO_MEMORY_BYTES, GlommioHost, GlommioHostShape, HostSignal,
    PostSource, RingAddress,
};
use super::{PATIENCE, loopback_listener, small_ring};

fn in_executor<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(GLOMMIO_IO_MEMORY_BYTES)
        .ring_depth(128)
        .spawn(move || work())
        .unwrap()
        .join()
        .unwrap()
}

fn host(ring: &CoreRing) -> GlommioHost {
    GlommioHost::attach(ring, GlommioHostShape::default()).unwrap()
}

#[test]
fn echo_served_from_an_executor_reaches_its_client() {
    let (address_out, address_in) = mpsc::channel();
    let client = thread::Builder::new()
        .spawn(move || {
            let mut stream = TcpStream::connect(address_in.recv().unwrap()).unwrap();
            for number in 0..2_000_u32 {
                stream.write_all(&number.to_le_bytes()).unwrap();
                let mut back = [0; 4];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(u32::from_le_bytes(back), number);
            }
        })
        .unwrap();
    in_executor(async move || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        let (socket, address) = loopback_listener();
        ring.listen(socket).unwrap();
        address_out.send(address).unwrap();
        loop {
            host.turn(&mut ring).await.unwrap();
            while let Some(completion) = ring.pop().unwrap() {
                match completion {
                    Completion::Accepted { connection, .. } => ring.receive(connection).unwrap(),
                    Completion::Received { connection, buffer } => {
                        ring.send(connection, buffer.to_vec()).unwrap();
                    }
                    Completion::ReceiveEnded { .. } => return,
                    Completion::Sent { result, .. } => result.unwrap(),
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
    });
    client.join().unwrap();
}

#[test]
fn heartbeat_bounds_a_park_when_nothing_happens() {
    in_executor(async || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(host.turn(&mut ring).await.unwrap(), HostSignal::Heartbeat);
        }
        assert!(start.elapsed() < Duration::from_secs(5));
        assert!(ring.metrics().parks_count >= 5);
    });
}

#[test]
fn park_beside_a_task_that_is_always_runnable_ends() {
    in_executor(async || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        let stop = Rc::new(Cell::new(false));
        let busy = glommio::spawn_local({
            let stop = Rc::clone(&stop);
            async move {
                while !stop.get() {
                    glommio::executor().yield_task_queue_now().await;
                }
            }
        });
        let start = Instant::now();
        for round in 0..20 {
            ring.set_timer(Duration::from_millis(1), round).unwrap();
            loop {
                host.turn(&mut ring).await.unwrap();
                if let Some(completion) = ring.pop().unwrap() {
                    assert!(matches!(completion, Completion::TimerFired { .. }));
                    break;
                }
                assert!(start.elapsed() < PATIENCE, "the driver is stuck");
            }
        }
        stop.set(true);
        busy.await;
    });
}

#[test]
fn busy_driver_does_not_starve_glommio_timers() {
    in_executor(async || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        let slept = Rc::new(Cell::new(None));
        glommio::spawn_local({
            let slept = Rc::clone(&slept);
            async move {
                let start = Instant::now();
                glommio::timer::sleep(Duration::from_millis(5)).await;
                slept.set(Some(start.elapsed()));
            }
        })
        .detach();
        let start = Instant::now();
        // There is always a completion, so the driver never parks by itself.
        while slept.get().is_none() {
            ring.post(PostSource::Node, 0).unwrap();
            host.turn(&mut ring).await.unwrap();
            while ring.pop().unwrap().is_some() {}
            assert!(start.elapsed() < PATIENCE, "the timer never fired");
        }
        // Without forced passes this takes the executor's preempt timer: 100 ms.
        assert!(slept.get().unwrap() < Duration::from_millis(60));
        assert_eq!(ring.metrics().parks_count, 0);
    });
}

#[test]
fn blocking_wait_beside_an_armed_host_ends() {
    in_executor(async || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        // One sleep, so that the host's read of the eventfd is armed.
        host.turn(&mut ring).await.unwrap();
        for round in 0..200 {
            ring.set_timer(Duration::from_micros(200), round).unwrap();
            while ring.wait(PATIENCE).unwrap() == 0 {}
            let completion = ring.pop().unwrap();
            assert!(matches!(completion, Some(Completion::TimerFired { .. })));
        }
    });
}

#[test]
fn nudge_from_a_task_ends_a_park() {
    in_executor(async || {
        let mut ring = small_ring();
        let mut host = host(&ring);
        let nudger = host.nudger();
        glommio::spawn_local(async move {
            glommio::timer::sleep(Duration::from_millis(1)).await;
            nudger.nudge();
        })
        .detach();
        let mut signal = HostSignal::Heartbeat;
        while signal == HostSignal::Heartbeat {
            signal = host.turn(&mut ring).await.unwrap();
        }
        assert_eq!(signal, HostSignal::Nudged);
    });
}

#[test]
fn first_file_opened_must_not_be_empty_for_direct_reads_to_work() {
    let folder = super::disk_folder();
    let prime = folder.path().join("prime");
    let file = folder.path().join("data");
    fs::write(&prime, [1; 4096]).unwrap();
    fs::write(&file, [2; 4096]).unwrap();
    in_executor(async move || {
        // glommio decides on the first file of a device whether it can be polled, by reading it;
        // an empty one misleads it and every direct read of the device fails from then on.
        let primed = DmaFile::open(&prime).await.unwrap();
        primed.close().await.unwrap();
        let file = DmaFile::open(&file).await.unwrap();
        let read = file.read_at(0, 4096).await.unwrap();
        assert!(read.iter().all(|byte| *byte == 2));
        file.close().await.unwrap();
    });
}

#[test]
fn direct_flag_is_set_when_asked_for_by_flag() {
    let folder = super::disk_folder();
    let path = folder.path().join("data");
    fs::write(&path, [2; 4096]).unwrap();
    in_executor(async move || {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT | libc::O_DSYNC)
            .dma_open(&path)
            .await
            .unwrap();
        // SAFETY: no pointers.
        let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
        assert_ne!(flags & libc::O_DIRECT, 0);
        assert_ne!(flags & libc::O_DSYNC, 0);
        file.close().await.unwrap();
    });
}

/// Where the doorbells of [`play`] stop.
const LAST_PAYLOAD: u32 = 3_000;

/// Answers every doorbell with the next number, up to the last; gives how often it slept.
async fn play(
    mine: mpsc::Sender<RingAddress>,
    other: mpsc::Receiver<RingAddress>,
    serve: Option<u32>,
) -> u64 {
    let mut ring = small_ring();
    let shape = GlommioHostShape { spin: Duration::ZERO, ..GlommioHostShape::default() };
    let mut host = GlommioHost::attach(&ring, shape).unwrap();
    mine.send(ring.address().unwrap()).unwrap();
    let peer = other.recv().unwrap();
    if let Some(payload) = serve {
        ring.doorbell(&peer, payload).unwrap();
    }
    let start = Instant::now();
    loop {
        host.turn(&mut ring).await.unwrap();
        while let Some(completion) = ring.pop().unwrap() {
            let Completion::Doorbell { payload, .. } = completion else {
                panic!("unexpected {completion:?}");
            };
            if payload < LAST_PAYLOAD {
                ring.doorbell(&peer, payload + 1).unwrap();
                ring.turn().unwrap();
            }
            if payload + 1 >= LAST_PAYLOAD {
                return ring.metrics().parks_count;
            }
        }
        assert!(start.elapsed() < PATIENCE, "a doorbell was lost");
    }
}

#[test]
fn doorbells_between_two_executors_arrive_although_both_sleep() {
    let (to_first, from_second) = mpsc::channel();
    let (to_second, from_first) = mpsc::channel();
    let other = thread::Builder::new()
        .spawn(move || in_executor(async move || play(to_first, from_first, None).await))
        .unwrap();
    let parks_count = in_executor(async move || play(to_second, from_second, Some(1)).await);
    other.join().unwrap();
    assert!(parks_count > 0, "nobody ever slept");
}
