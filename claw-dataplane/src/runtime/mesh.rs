//! The mesh: bounded single-producer single-consumer queues between every two cores.
//!
//! Owns queues and the list of cores to wake; the doorbell itself (`MSG_RING`) belongs to the ring.
//! Two ways to send: a *request* may be refused when the queue is full (the caller answers 503), a
//! *letter* (an outcome or a message between shards) is never lost: it waits in an overflow list,
//! which is bounded because each letter answers a request in flight or belongs to a live hold or
//! order. A changed keyring goes the same way.
//! `rtrb` carries the queues: wait-free, maintained, and its whole API is one bounded ring.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, RingBuffer};

use super::placement::CoreId;

/// Envelopes between two cores that wait to be taken. One reactor tick of a busy core makes a few
/// hundred; more than this many means the other core is behind.
pub const QUEUE_ENVELOPES_MAX: usize = 4096;

/// One core's ends of the mesh.
#[derive(Debug)]
pub struct Endpoint<T> {
    core: CoreId,
    outgoing: Vec<Option<Producer<T>>>,
    incoming: Vec<Option<Consumer<T>>>,
    overflow: Vec<VecDeque<T>>,
    wake: Vec<bool>,
}

/// Builds the mesh of `cores_count` cores: one endpoint a core, in order.
pub fn build<T>(cores_count: usize) -> Vec<Endpoint<T>> {
    let mut endpoints: Vec<Endpoint<T>> = (0..cores_count)
        .map(|index| Endpoint {
            core: CoreId(u8::try_from(index).expect("at most CORES_MAX")),
            outgoing: (0..cores_count).map(|_| None).collect(),
            incoming: (0..cores_count).map(|_| None).collect(),
            overflow: (0..cores_count).map(|_| VecDeque::new()).collect(),
            wake: vec![false; cores_count],
        })
        .collect();
    for from in 0..cores_count {
        for to in (0..cores_count).filter(|&to| to != from) {
            let (producer, consumer) = RingBuffer::new(QUEUE_ENVELOPES_MAX);
            endpoints[from].outgoing[to] = Some(producer);
            endpoints[to].incoming[from] = Some(consumer);
        }
    }
    endpoints
}

impl<T> Endpoint<T> {
    /// Which core this is.
    pub fn core(&self) -> CoreId {
        self.core
    }

    /// Sends, or gives the envelope back when the queue is full.
    pub fn try_send(&mut self, to: CoreId, envelope: T) -> Result<(), T> {
        assert_ne!(to, self.core, "a core does not send to itself");
        let index = to.index();
        if !self.overflow[index].is_empty() {
            return Err(envelope);
        }
        self.push(index, envelope)
    }

    /// Sends now or as soon as there is room, in order.
    pub fn send(&mut self, to: CoreId, envelope: T) {
        if let Err(envelope) = self.try_send(to, envelope) {
            self.overflow[to.index()].push_back(envelope);
        }
    }

    /// Moves what waited; call once a turn.
    pub fn flush(&mut self) {
        for index in 0..self.overflow.len() {
            while let Some(envelope) = self.overflow[index].pop_front() {
                if let Err(envelope) = self.push(index, envelope) {
                    self.overflow[index].push_front(envelope);
                    break;
                }
            }
        }
    }

    /// Whether letters still wait for room.
    pub fn backlogged(&self) -> bool {
        self.overflow.iter().any(|queue| !queue.is_empty())
    }

    /// The next envelope from any core.
    pub fn receive(&mut self) -> Option<(CoreId, T)> {
        self.incoming.iter_mut().enumerate().find_map(|(index, queue)| {
            let envelope = queue.as_mut()?.pop().ok()?;
            Some((CoreId(u8::try_from(index).expect("at most CORES_MAX")), envelope))
        })
    }

    /// Whether an envelope waits: checked once more before a core parks.
    pub fn has_mail(&self) -> bool {
        self.incoming.iter().flatten().any(|queue| !queue.is_empty())
    }

    /// A core to wake, each once after something was sent to it.
    pub fn take_wake(&mut self) -> Option<CoreId> {
        let index = self.wake.iter().position(|&wake| wake)?;
        self.wake[index] = false;
        Some(CoreId(u8::try_from(index).expect("at most CORES_MAX")))
    }

    fn push(&mut self, index: usize, envelope: T) -> Result<(), T> {
        let queue = self.outgoing[index].as_mut().expect("every other core has a queue");
        queue.push(envelope).map_err(|rtrb::PushError::Full(envelope)| envelope)?;
        self.wake[index] = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_beyond_the_bound_wait_and_keep_their_order() {
        let mut endpoints = build::<usize>(2);
        let (first, second) = endpoints.split_at_mut(1);
        let (sender, receiver) = (&mut first[0], &mut second[0]);
        for number in 0..QUEUE_ENVELOPES_MAX + 10 {
            sender.send(CoreId(1), number);
        }
        assert_eq!(sender.try_send(CoreId(1), 0), Err(0), "a request is refused instead");
        assert_eq!(sender.take_wake(), Some(CoreId(1)));
        assert_eq!(sender.take_wake(), None);
        let mut received = Vec::new();
        while received.len() < QUEUE_ENVELOPES_MAX + 10 {
            sender.flush();
            while let Some((from, number)) = receiver.receive() {
                assert_eq!(from, CoreId(0));
                received.push(number);
            }
        }
        assert!(received.iter().copied().eq(0..QUEUE_ENVELOPES_MAX + 10));
        assert!(!sender.backlogged());
    }
}
