//! Doorbells, the bell, timers, and going to sleep without losing a completion.

use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Completion, CoreRing, PostSource, RingAddress, RingError, RingShape};
use super::{PATIENCE, next, small_ring};

fn ring_of_core(core: u16) -> CoreRing {
    CoreRing::new(RingShape {
        core,
        entries_count: 64,
        connections_max: 16,
        ..RingShape::default()
    })
    .unwrap()
}

/// Sleeps on the eventfd as a host would.
fn sleep_on_eventfd(ring: &mut CoreRing) {
    if ring.prepare_park().unwrap() {
        let mut poll =
            libc::pollfd { fd: ring.eventfd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let patience_ms = i32::try_from(PATIENCE.as_millis()).unwrap();
        // SAFETY: one valid element.
        let ready = unsafe { libc::poll(&raw mut poll, 1, patience_ms) };
        assert_eq!(ready, 1, "the eventfd was not signalled: a lost wake-up");
        let mut count = 0_u64;
        // SAFETY: eight writable bytes.
        let read = unsafe { libc::read(poll.fd, (&raw mut count).cast(), 8) };
        assert_eq!(read, 8);
    }
    ring.end_park();
    ring.turn().unwrap();
}

/// Answers every doorbell with the payload plus one until the payload is `last`.
fn bounce(ring: &mut CoreRing, peer: &RingAddress, last: u32) {
    loop {
        while let Some(completion) = ring.pop().unwrap() {
            let Completion::Doorbell { from, payload } = completion else {
                panic!("unexpected {completion:?}");
            };
            assert_eq!(from, peer.core());
            if payload < last {
                ring.doorbell(peer, payload + 1).unwrap();
                ring.turn().unwrap();
            }
            if payload + 1 >= last {
                return;
            }
        }
        sleep_on_eventfd(ring);
    }
}

#[test]
fn doorbells_between_two_threads_never_get_lost_in_a_park() {
    let last = 20_000;
    let (to_main, from_thread) = mpsc::channel();
    let (to_thread, from_main) = mpsc::channel();
    let other = thread::Builder::new()
        .spawn(move || {
            let mut ring = ring_of_core(7);
            to_main.send(ring.address().unwrap()).unwrap();
            let peer: RingAddress = from_main.recv().unwrap();
            bounce(&mut ring, &peer, last);
            // Stay until the peer has heard the last one.
            from_main.recv().unwrap_err();
        })
        .unwrap();
    let mut ring = ring_of_core(3);
    to_thread.send(ring.address().unwrap()).unwrap();
    let peer = from_thread.recv().unwrap();
    ring.doorbell(&peer, 1).unwrap();
    ring.turn().unwrap();
    bounce(&mut ring, &peer, last);
    drop(to_thread);
    other.join().unwrap();
}

#[test]
fn bell_rung_by_another_thread_wakes_a_parked_ring() {
    let mut ring = small_ring();
    let waker = ring.waker();
    let (go, gone) = mpsc::channel();
    let other = thread::Builder::new()
        .spawn(move || {
            while gone.recv().is_ok() {
                waker.wake();
            }
        })
        .unwrap();
    for _ in 0..2_000 {
        go.send(()).unwrap();
        loop {
            match ring.pop().unwrap() {
                Some(Completion::Bell) => break,
                Some(other) => panic!("unexpected {other:?}"),
                None => sleep_on_eventfd(&mut ring),
            }
        }
    }
    drop(go);
    other.join().unwrap();
}

#[test]
fn doorbell_with_any_payload_is_only_a_doorbell() {
    let mut ring = small_ring();
    let address = ring.address().unwrap();
    let mut sender = ring_of_core(u16::MAX);
    for sent in [0, 1, u32::MAX, 0x8000_0000] {
        sender.doorbell(&address, sent).unwrap();
        sender.turn().unwrap();
        let Completion::Doorbell { from, payload } = next(&mut ring) else {
            panic!("a doorbell is a doorbell");
        };
        assert_eq!((from, payload), (u16::MAX, sent));
    }
}

#[test]
fn timers_fire_in_order_and_not_early() {
    let mut ring = small_ring();
    let start = Instant::now();
    ring.set_timer(Duration::from_millis(30), 2).unwrap();
    ring.set_timer(Duration::from_millis(10), 1).unwrap();
    for (token, least) in [(1, 10), (2, 30)] {
        let Completion::TimerFired { token: fired, .. } = next(&mut ring) else {
            panic!("a timer fires");
        };
        assert_eq!(fired, token);
        assert!(start.elapsed() >= Duration::from_millis(least));
    }
}

#[test]
fn canceled_timer_is_not_reported_and_its_place_is_free() {
    let mut ring = small_ring();
    for round in 0..200 {
        let timer = ring.set_timer(PATIENCE, round).unwrap();
        ring.cancel_timer(timer).unwrap();
        ring.post(PostSource::Node, 1).unwrap();
        assert!(matches!(next(&mut ring), Completion::Posted { .. }));
        while ring.turn().unwrap() > 0 {
            assert!(ring.pop().unwrap().is_none());
        }
        ring.cancel_timer(timer).unwrap();
    }
}

#[test]
fn kernel_workers_can_be_placed_on_a_core() {
    small_ring().place_workers(&[0]).unwrap();
}

#[test]
fn failing_to_pin_memory_names_the_limit_to_raise() {
    let source = std::io::Error::from_raw_os_error(libc::ENOMEM);
    let error = RingError::RegisterArena { size_bytes: 1, source };
    assert!(error.to_string().contains("memlock"));
}

#[test]
fn more_entries_than_the_queue_holds_are_all_carried_out() {
    let mut ring = small_ring();
    for payload in 0..1000 {
        ring.post(PostSource::Node, payload).unwrap();
    }
    for payload in 0..1000 {
        let Completion::Posted { payload: posted, .. } = next(&mut ring) else {
            panic!("only postings are in flight");
        };
        assert_eq!(posted, payload);
    }
    assert!(ring.metrics().submission_full_count > 0);
}

#[test]
fn idle_ring_parks_although_task_work_ran_before() {
    let mut ring = small_ring();
    for round in 0..1000 {
        ring.post(PostSource::Node, round).unwrap();
        assert!(matches!(next(&mut ring), Completion::Posted { .. }));
        ring.waker().wake();
        assert!(matches!(next(&mut ring), Completion::Bell));
        // Whatever the hint says now, the ring must be found idle: no endless turning.
        let mut attempts_left = 3;
        while !ring.prepare_park().unwrap() {
            ring.end_park();
            while ring.pop().unwrap().is_some() {}
            attempts_left -= 1;
            assert!(attempts_left > 0, "the ring never gets idle");
        }
        ring.end_park();
    }
}

#[test]
fn unsubmitted_entries_are_submitted_before_a_park() {
    let mut ring = small_ring();
    ring.set_timer(Duration::from_millis(5), 1).unwrap();
    sleep_on_eventfd(&mut ring);
    assert!(matches!(next(&mut ring), Completion::TimerFired { .. }));
}
