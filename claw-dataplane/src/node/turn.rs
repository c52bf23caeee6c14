//! One turn of a core, and the loop of turns from start to drained stop.
//!
//! Owns the order of the steps (see the essay in `node`). Each step is bounded, so that a turn is
//! short whatever is waiting; what is left keeps the core from sleeping.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use claw_common::id::ShardId;
use claw_common::limits::LIVE_HASH_ENTRIES_MAX;
use claw_core::codec::{Decode, Reader};
use claw_core::command::Request;
use claw_core::shard::message::Message;
use claw_core::shard::{CALL_BYTES_MAX, Shard};

use crate::ingest::http::Connection;
use crate::ingest::tls::Session;
use crate::ring::{Completion, ConnectionId, GlommioHost, ListenerId, ReceiveEnd};

use super::clock::ClockHealth;
use super::core::{Core, CoreError};
use super::envelope::Envelope;
use super::peer::Peer;
use super::shared::LiveHash;
use super::transport::Transport;
use super::work::Work;

/// Time between two looks at what only time changes.
const HEARTBEAT_MS: u64 = 5;
/// How long a start waits at a time for a write to end.
const RESUME_WAIT: Duration = Duration::from_millis(100);
/// Connections looked at for passed deadlines per heartbeat of 5 ms: 16,384 take 320 ms.
const DEADLINES_PER_HEARTBEAT: usize = 256;
/// Heartbeats without work before the watermark is marked: 20 ms.
const IDLE_HEARTBEATS_BEFORE_MARK: u32 = 4;
/// Heartbeats between two comparisons of the clocks, and other work of each second.
const HEARTBEATS_PER_SECOND: u32 = 200;
/// A drain takes at most this long; what is unanswered then was never acknowledged.
const DRAIN_MS_MAX: u64 = 10_000;
/// Work left in the inbox above which mail of other cores stays in its queue.
const INBOX_WORK_MAX: usize = 8192;

impl Core {
    /// Serves until asked to stop and drained.
    pub async fn run(mut self, mut host: GlommioHost) -> Result<(), CoreError> {
        self.resume()?;
        self.recall_keys();
        self.recall_forgotten();
        self.watch_keys();
        loop {
            if self.has_work() {
                host.poll(&mut self.ring).await?;
            } else {
                // Why it woke does not matter: a turn looks at everything, and the host's own
                // heartbeat is too rare under load to keep time by.
                host.turn(&mut self.ring).await?;
            }
            self.turn()?;
            if self.shared.stop_requested() && self.drain()? {
                self.stream.commit().shut_down()?;
                return Ok(());
            }
        }
    }

    /// One turn.
    fn turn(&mut self) -> Result<(), CoreError> {
        self.now_ms = self.clock.now_ms();
        if self.now_ms >= self.next_heartbeat_ms {
            self.next_heartbeat_ms = self.now_ms + HEARTBEAT_MS;
            self.heartbeats = self.heartbeats.wrapping_add(1);
            self.heartbeat()?;
        }
        self.reap()?;
        self.deliver_durable();
        self.collect_mail();
        self.collect_proofs();
        self.collect_vault();
        self.settle_keyring();
        self.pass_time()?;
        self.work()?;
        self.write()?;
        self.peers.advance(&mut self.ring)?;
        self.ring_doorbells()
    }

    /// Whether sleeping now would leave something undone that no completion will announce.
    fn has_work(&self) -> bool {
        let could_decide = self.stream.commit_may_write();
        let waiting = !self.inbox.is_empty() || !self.stalled.is_empty();
        (waiting && could_decide) || self.mesh.has_mail() || self.mesh.backlogged()
    }

    /// Takes up what recovery left open.
    fn resume(&mut self) -> Result<(), CoreError> {
        self.now_ms = self.clock.now_ms();
        for index in 0..self.lanes.len() {
            self.stream.refill(&mut self.lanes[index]);
            assert!(self.make_room(index, CALL_BYTES_MAX)?, "a fresh slot has room");
            self.lanes[index].resume(self.now_ms);
            loop {
                while !self.make_room(index, CALL_BYTES_MAX)? {
                    // Nobody is served yet, so the thread may block for a write to end.
                    self.ring.wait(RESUME_WAIT)?;
                    self.reap()?;
                }
                if !self.lanes[index].tick(self.now_ms) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn reap(&mut self) -> Result<(), CoreError> {
        while let Some(completion) = self.ring.pop()? {
            let Some(completion) = self.stream.commit().complete(&mut self.ring, completion)?
            else {
                continue;
            };
            self.take(completion)?;
        }
        Ok(())
    }

    fn take(&mut self, completion: Completion) -> Result<(), CoreError> {
        match completion {
            Completion::Accepted { listener, connection } => {
                self.ring.receive(connection)?;
                let transport = self.transport_of(listener);
                let http = Connection::new(self.now_ms, self.timeouts);
                self.peers.insert(Peer::new(connection, transport, http));
                let open = u64::try_from(self.peers.count()).unwrap_or(u64::MAX);
                self.counters().connections_count.store(open, Ordering::Relaxed);
            }
            Completion::Received { connection, buffer } => {
                self.inbox.push_back(Work::Bytes { connection, buffer });
            }
            Completion::ReceiveEnded { connection, end } => self.end_receive(connection, &end)?,
            Completion::Sent { connection, buffer, result } => {
                if let Some(peer) = self.peers.touch(connection) {
                    peer.sent(buffer);
                    if result.is_err() {
                        peer.close(&mut self.ring)?;
                    }
                    // What waited behind it is on its way before the next request is taken.
                    peer.advance(&mut self.ring)?;
                    self.unstall(connection);
                }
            }
            Completion::Closed { connection } => {
                self.forget_socket(connection);
                self.peers.remove(connection);
            }
            Completion::DoorbellLost { to, error } => {
                // Its heartbeat finds the mail at the latest.
                log::warn!("doorbell to core {to} was lost: {error}");
            }
            Completion::AcceptFailed { error, .. } => log::warn!("accept failed: {error}"),
            Completion::Bell
            | Completion::Doorbell { .. }
            | Completion::Connected { .. }
            | Completion::Posted { .. }
            | Completion::Synced { .. }
            | Completion::TimerFired { .. }
            | Completion::Written { .. } => {}
        }
        Ok(())
    }

    fn end_receive(&mut self, connection: ConnectionId, end: &ReceiveEnd) -> Result<(), CoreError> {
        let Some(peer) = self.peers.touch(connection) else { return Ok(()) };
        match end {
            ReceiveEnd::Finished => {
                peer.finish();
                let gate = self.gate.as_mut().expect("not in use between steps");
                peer.transport.count_end(gate.metrics_mut().tls());
            }
            ReceiveEnd::Failed(_) => peer.close(&mut self.ring)?,
        }
        Ok(())
    }

    /// What travels over a connection that `listener` accepted.
    fn transport_of(&mut self, listener: ListenerId) -> Transport {
        match &mut self.tls {
            Some(tls) if tls.listener == Some(listener) => {
                let deadline_ms = self.now_ms + self.timeouts.head_ms;
                Transport::Tls(Box::new(Session::new(tls.identity(), deadline_ms)))
            }
            _ => Transport::Plain,
        }
    }

    fn collect_mail(&mut self) {
        self.mesh.flush();
        while self.inbox.len() < INBOX_WORK_MAX {
            let Some((_, envelope)) = self.mesh.receive() else { return };
            match envelope {
                Envelope::Request { shard, request } => {
                    self.inbox.push_back(Work::Request { shard, request });
                }
                Envelope::Message { from, to, message } => {
                    self.inbox.push_back(Work::Message { from, to, message });
                }
                Envelope::Outcome(letter) => {
                    self.answer(letter.to, &letter.outcome, letter.shard, letter.sequence);
                }
                Envelope::Notice { shard, place, notice } => self.tell(shard, place, &notice),
                Envelope::NoticesMissed => self.miss_notices(),
                Envelope::TicketQuestion { to, question } => self.answer_at_desk(to, &question),
                Envelope::TicketAnswer { to, answer } => self.take_desk_answer(to, *answer),
                Envelope::Keyring(keyring) => self.use_keyring(keyring),
            }
        }
    }

    /// Expiries and waits that are due, before anything is decided at the new time.
    fn pass_time(&mut self) -> Result<(), CoreError> {
        if !self.clock.trusted() {
            return Ok(());
        }
        for index in 0..self.lanes.len() {
            while self.lanes[index].shard().next_deadline().is_some_and(|due| due <= self.now_ms) {
                if !self.make_room(index, CALL_BYTES_MAX)? || !self.lanes[index].tick(self.now_ms) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Decides what waits, oldest first, until something finds no room.
    fn work(&mut self) -> Result<(), CoreError> {
        self.short_of_room = false;
        for index in 0..self.lanes.len() {
            self.stream.refill(&mut self.lanes[index]);
        }
        for _ in 0..self.stalled.len() {
            let Some(connection) = self.stalled.pop_front() else { break };
            if !self.serve_stalled(connection)? {
                Self::count(&self.counters().stalls_count, 1);
                return Ok(());
            }
        }
        while let Some(work) = self.inbox.pop_front() {
            let waiting = match work {
                Work::Bytes { connection, buffer } => self.serve(connection, buffer)?,
                Work::Request { shard, request } => self.decide_encoded(shard, request)?,
                Work::Message { from, to, message } => self.receive_message(from, to, message)?,
                Work::Payment { shard, answer } => self.hear_payment(shard, answer)?,
            };
            if let Some(waiting) = waiting {
                self.inbox.push_front(waiting);
                Self::count(&self.counters().stalls_count, 1);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Decides an encoded request of a shard of this core; gives it back when there is no room.
    fn decide_encoded(
        &mut self,
        shard: ShardId,
        encoded: Box<[u8]>,
    ) -> Result<Option<Work>, CoreError> {
        let lane = self.lane_index(shard).expect("routed to this core");
        let request = Request::decode(&mut Reader::new(&encoded)).expect("encoded by a core");
        if !self.make_room(lane, Shard::decision_bytes_max(&request))? {
            return Ok(Some(Work::Request { shard, request: encoded }));
        }
        self.lanes[lane].decide(&request, self.now_ms);
        Ok(None)
    }

    fn receive_message(
        &mut self,
        from: ShardId,
        to: ShardId,
        encoded: Box<[u8]>,
    ) -> Result<Option<Work>, CoreError> {
        let lane = self.lane_index(to).expect("sent to this core");
        if !self.make_room(lane, CALL_BYTES_MAX)? {
            return Ok(Some(Work::Message { from, to, message: encoded }));
        }
        let message = Message::decode(&mut Reader::new(&encoded)).expect("encoded by a shard");
        self.lanes[lane].receive(from, &message, self.now_ms);
        Ok(None)
    }

    /// Runs what waits for nothing and seals while fewer than the bound is in flight, each lane in
    /// its turn.
    fn write(&mut self) -> Result<(), CoreError> {
        for index in 0..self.lanes.len() {
            if let Some(effects) = self.lanes[index].take_immediate() {
                self.run_effects(index, &effects);
                self.lanes[index].recycle(effects);
            }
        }
        let mut refused = 0;
        while refused < self.lanes.len() {
            let index = self.next_lane % self.lanes.len();
            self.next_lane = index + 1;
            let bytes = self.lanes[index].size_bytes();
            if self.stream.seal(&mut self.ring, &mut self.lanes[index])? {
                refused = 0;
                self.idle_turns = 0;
                let counters = self.counters();
                Self::count(&counters.blocks_count, 1);
                Self::count(&counters.block_bytes, u64::try_from(bytes).unwrap_or(0));
            } else {
                refused += 1;
            }
        }
        Ok(())
    }

    fn heartbeat(&mut self) -> Result<(), CoreError> {
        let mut overdue = std::mem::take(&mut self.overdue);
        self.peers.scan_overdue(self.now_ms, DEADLINES_PER_HEARTBEAT, &mut overdue);
        for connection in overdue.drain(..) {
            self.expire(connection)?;
        }
        self.overdue = overdue;
        self.give_hashes();
        self.look_at_stock();
        self.follow_subjects();
        self.idle_turns = self.idle_turns.saturating_add(1);
        if self.idle_turns >= IDLE_HEARTBEATS_BEFORE_MARK {
            let stamp = self.next_stamp();
            self.stream.mark(&mut self.ring, stamp)?;
        }
        if self.heartbeats.is_multiple_of(HEARTBEATS_PER_SECOND) {
            self.compare_clocks();
            self.watch_keys();
            self.log_forgotten();
            let parked: usize = self.lanes.iter().map(|lane| lane.shard().parked_count()).sum();
            let parked = u64::try_from(parked).unwrap_or(u64::MAX);
            self.counters().sagas_parked_count.store(parked, Ordering::Relaxed);
            let gate = self.gate.as_ref().expect("not in use between steps");
            self.shared.publish_ingest(self.id.index(), gate.metrics());
        }
        Ok(())
    }

    /// Raises the alarm while the system's clock is not where it was when the node started.
    fn compare_clocks(&mut self) {
        let jump_ms = match self.clock.compare() {
            ClockHealth::Agreed => 0,
            ClockHealth::Jumped { by_ms } => {
                log::error!(
                    "the system clock jumped by {by_ms} ms and is not followed: no hold expires \
                     until it is set right; if it is right now, start the node again"
                );
                by_ms.unsigned_abs()
            }
        };
        self.counters().clock_jump_ms.store(jump_ms, Ordering::Relaxed);
    }

    /// Gives the hashes of shards that are quick to hash, when they were asked for.
    fn give_hashes(&mut self) {
        let asked = self.shared.hashes_asked();
        if asked == self.hashes_given {
            return;
        }
        self.hashes_given = asked;
        for lane in &self.lanes {
            let shard = lane.shard();
            if shard.entries_count() <= LIVE_HASH_ENTRIES_MAX {
                let hash = LiveHash { sequence: shard.sequence(), hash: shard.state_hash() };
                self.shared.give_hash(lane.id(), hash);
            }
        }
    }

    fn ring_doorbells(&mut self) -> Result<(), CoreError> {
        while let Some(core) = self.mesh.take_wake() {
            let addresses = Arc::clone(&self.addresses);
            self.ring.doorbell(&addresses[core.index()], 0)?;
        }
        Ok(())
    }

    /// Takes no more, answers what was taken; `true` once everything is durable and sent.
    fn drain(&mut self) -> Result<bool, CoreError> {
        let encrypted = self.tls.as_mut().and_then(|tls| tls.listener.take());
        for listener in self.listener.take().into_iter().chain(encrypted) {
            self.ring.stop_listening(listener)?;
        }
        if !self.stopping {
            self.stopping = true;
            self.drain_until_ms = self.now_ms + DRAIN_MS_MAX;
            self.end_sockets();
        }
        let busy = self.pending.count() > 0 || !self.inbox.is_empty() || self.mesh.backlogged();
        let lanes_quiet = self.lanes.iter().all(super::lane::Lane::quiet);
        if (busy || !lanes_quiet) && self.now_ms < self.drain_until_ms {
            return Ok(false);
        }
        for connection in self.peers.ids() {
            let Some(peer) = self.peers.touch(connection) else { continue };
            if self.now_ms >= self.drain_until_ms {
                peer.close(&mut self.ring)?;
            } else if peer.idle() {
                peer.end();
            }
        }
        if self.peers.count() > 0 && self.now_ms < self.drain_until_ms {
            return Ok(false);
        }
        let stamp = self.next_stamp();
        self.stream.mark(&mut self.ring, stamp)?;
        Ok(self.stream.commit().quiet() && lanes_quiet)
    }
}
