//! The world: shoppers, a node and its devices, from the first request to the last audit.
//!
//! ```text
//!  rush   shoppers ask, power fails, the clock strays      every invariant of each step
//!  rest   nobody asks, nothing fails, all is answered      books, nothing stuck
//!  wait   every hold has had its time                      nothing is reserved any more
//!  again  one more crash and start                         the same books
//!  rot    a bit flips in the middle of each log            a start refuses
//! ```
//! Single-threaded; time is the scene's. The seed decides everything.

use std::collections::BTreeMap;

use claw_core::codec::{Decode as _, Encode as _, Reader, Writer};
use claw_core::payment::{ANSWER_BYTES_MAX, Answer, Ask};
use claw_core::shard::Shard;

use crate::invariants::{books, damage, payments, stuck};
use crate::node::{Node, start};
use crate::options::Options;
use crate::scene::{Happening, Scene};
use crate::shoppers::Shoppers;
use crate::site::Site;
use crate::trace::Sink;
use crate::violation::{Checked, Violation, check};

/// Heartbeats are rarer while only time has to pass.
const HEARTBEAT_WAITING_US: u64 = 200_000;
/// Downtime after a crash, at most.
const DOWN_US_MAX: u64 = 2_000_000;
/// Without any command answered for so long, something is stuck.
const STALL_US: u64 = 300_000_000;
/// Longer than the shown clock can be behind what a shard has seen.
const STRAY_MS: u64 = 60_000;

/// What a world came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Facts in the trace, by symbol.
    pub facts: BTreeMap<char, u64>,
    /// Fold of the trace: the same seed gives the same.
    pub fingerprint: u64,
    /// Crashes.
    pub crashes: u32,
    /// Commands started.
    pub commands: u32,
    /// Holds that were granted.
    pub holds: u64,
    /// Orders that were made.
    pub orders: u64,
    /// Units bought.
    pub units_sold: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    site: Site,
    node: Option<Node>,
    shoppers: Shoppers,
    incarnation: u32,
    crashes: u32,
    resting: bool,
    progress_us: u64,
    finished_count: u32,
}

impl World {
    pub(crate) fn new(options: Options, sink: Option<Sink>) -> Self {
        let mut scene = Scene::new(options, sink);
        scene.plan(0, Happening::Start);
        let shoppers = Shoppers::new(&mut scene);
        Self {
            site: Site::new(scene),
            node: None,
            shoppers,
            incarnation: 0,
            crashes: 0,
            resting: false,
            progress_us: 0,
            finished_count: 0,
        }
    }

    /// Runs to the end; what it came to, whatever the end is.
    pub(crate) fn run(&mut self) -> (Checked, Summary) {
        let verdict = self.live();
        let oracle = &self.shoppers.oracle;
        let summary = Summary {
            facts: self.site.scene.trace.counts().clone(),
            fingerprint: self.site.scene.trace.fold(),
            crashes: self.crashes,
            commands: self.shoppers.commands_count(),
            holds: u64::try_from(oracle.holds.len()).unwrap_or(u64::MAX),
            orders: u64::try_from(oracle.orders.len()).unwrap_or(u64::MAX),
            units_sold: oracle.units_sold().values().sum(),
        };
        (verdict, summary)
    }

    fn live(&mut self) -> Checked {
        while !self.shoppers.finished(&self.site.scene) {
            self.next()?;
            self.check_progress()?;
        }
        self.resting = true;
        self.site.scene.steady_clock();
        self.site.scene.line('$', format_args!("rest"));
        self.settle(0)?;
        self.audit()?;
        self.site.scene.line('$', format_args!("wait"));
        // Twice: who waits until the last moment has a hold's time from there.
        self.settle(2 * self.site.scene.options.ttl_ms_max + STRAY_MS)?;
        self.audit()?;
        stuck::check_nothing_held(&self.shoppers.oracle)?;
        self.site.scene.line('$', format_args!("again"));
        self.crash();
        self.settle(0)?;
        self.audit()?;
        stuck::check_nothing_held(&self.shoppers.oracle)?;
        self.site.scene.line('$', format_args!("rot"));
        let Site { devices, scene, .. } = &mut self.site;
        for device in devices {
            device.crash(&scene.options, &mut scene.device_random);
            damage::check_device(device, &mut scene.device_random)?;
        }
        Ok(())
    }

    /// Lets everything under way come to its end, and `wait_ms` pass.
    fn settle(&mut self, wait_ms: u64) -> Checked {
        let until_us = self.site.scene.now_us() + wait_ms * 1000;
        let deadline_us = until_us + STALL_US;
        loop {
            self.next()?;
            let now_us = self.site.scene.now_us();
            let quiet = self.node.as_ref().is_some_and(Node::quiet);
            if quiet && now_us >= until_us && !self.site.scene.delivers() && !self.pays() {
                return Ok(());
            }
            check(now_us < deadline_us, "the node comes to rest", || {
                "something is still under way inside it".to_owned()
            })?;
        }
    }

    /// Whether a saga is under way: it waits for the vault, or for its next attempt.
    fn pays(&mut self) -> bool {
        let Some(node) = &mut self.node else { return true };
        payments::under_way(&node.shards_mut().collect::<Vec<_>>())
    }

    fn check_progress(&mut self) -> Checked {
        let now_us = self.site.scene.now_us();
        let finished_count = self.shoppers.answered_count();
        if finished_count != self.finished_count {
            (self.finished_count, self.progress_us) = (finished_count, now_us);
        }
        check(now_us - self.progress_us < STALL_US, "every command is answered", || {
            self.shoppers.stuck().unwrap_or_default()
        })
    }

    fn audit(&mut self) -> Checked {
        let now_ms = self.site.scene.clock_ms();
        let Some(node) = &mut self.node else {
            return Err(Violation::new("the node runs at rest", "it does not"));
        };
        let mut shards: Vec<&mut Shard> = node.shards_mut().collect();
        stuck::look(&mut shards, &mut self.shoppers.oracle, now_ms)?;
        payments::check_all(&shards, &self.shoppers.oracle, &self.site.gateway)?;
        books::check_all(&mut shards, &self.shoppers.oracle, now_ms)
    }

    fn next(&mut self) -> Checked {
        let happening = self.site.scene.next().expect("a heartbeat or a start is always planned");
        let site = &mut self.site;
        match happening {
            Happening::Wake { client } => {
                let incarnation = self.node.as_ref().map(|node| node.incarnation);
                self.shoppers.wake(&mut site.scene, client, incarnation);
                Ok(())
            }
            Happening::Answer { attempt, outcome } => {
                self.shoppers.answered(&mut site.scene, attempt, &outcome)
            }
            Happening::Start => self.start(),
            Happening::Crash { incarnation } if incarnation == self.incarnation => {
                if !self.resting && self.node.is_some() {
                    self.crash();
                }
                Ok(())
            }
            Happening::Asked { ask } => self.ask_vault(ask),
            other => self.next_of_node(other),
        }
    }

    /// The vault performs a question; where its answer is lost, the link asks again.
    fn ask_vault(&mut self, bytes: Vec<u8>) -> Checked {
        let ask = Ask::decode(&mut Reader::new(&bytes));
        let ask = ask.map_err(|e| Violation::new("questions decode", e.to_string()))?;
        let site = &mut self.site;
        let chance = (&mut site.scene.vault_random, self.resting);
        let said = site.gateway.ask(&ask, &site.scene.options, chance);
        site.scene.line('v', format_args!("{:?} of {}: {said:?}", ask.step, ask.order));
        let delay_us = site.vault_us();
        let Some(verdict) = said.verdict() else {
            site.scene.plan(delay_us, Happening::Asked { ask: bytes });
            return Ok(());
        };
        let (order, shard, step) = (ask.order, ask.shard, ask.step);
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        let mut writer = Writer::new(&mut answer);
        Answer { order, shard, step, verdict }.encode(&mut writer);
        let written = writer.written();
        answer.truncate(written);
        let incarnation = self.incarnation;
        site.scene.plan(delay_us, Happening::Paid { incarnation, answer });
        Ok(())
    }

    /// What belongs to one run of the node; of a former one it is void.
    fn next_of_node(&mut self, happening: Happening) -> Checked {
        let Some(node) = &mut self.node else { return Ok(()) };
        let site = &mut self.site;
        match happening {
            Happening::Arrive { incarnation, shard, request }
                if incarnation == node.incarnation =>
            {
                node.arrive(site, shard, request)
            }
            Happening::Deliver { incarnation, from, to, message }
                if incarnation == node.incarnation =>
            {
                node.deliver(site, (from, to), message)
            }
            Happening::Paid { incarnation, answer } if incarnation == node.incarnation => {
                let heard = Answer::decode(&mut Reader::new(&answer));
                let to = heard.map_err(|e| Violation::new("answers decode", e.to_string()))?.shard;
                node.pay(site, to, answer)
            }
            Happening::Durable { incarnation, stream, sequence }
                if incarnation == node.incarnation =>
            {
                let permille = site.scene.options.write_error_permille;
                if !self.resting && site.scene.device_random.chance(permille) {
                    site.scene.line('!', format_args!("stream {stream} block {sequence} fails"));
                    self.crash();
                    return Ok(());
                }
                node.durable(site, stream, sequence)
            }
            Happening::SuperblockDurable { incarnation, stream }
                if incarnation == node.incarnation =>
            {
                node.superblock_durable(site, stream);
                Ok(())
            }
            Happening::Heartbeat { incarnation } if incarnation == node.incarnation => {
                let beat_us = site.scene.options.heartbeat_ms * 1000;
                let beat_us = if self.resting { HEARTBEAT_WAITING_US } else { beat_us };
                site.scene.plan(beat_us, Happening::Heartbeat { incarnation });
                if !self.resting {
                    site.scene.disturb_clock();
                }
                node.heartbeat(site)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self) -> Checked {
        self.incarnation += 1;
        let incarnation = self.incarnation;
        let site = &mut self.site;
        site.scene.line('^', format_args!("start {incarnation}"));
        self.node = start(site, incarnation)?;
        if self.node.is_none() {
            self.crashes += 1;
            self.plan_start();
            return Ok(());
        }
        let beat_us = site.scene.options.heartbeat_ms * 1000;
        site.scene.plan(beat_us, Happening::Heartbeat { incarnation });
        let mean_ms = site.scene.options.crash_ms_mean;
        if mean_ms > 0 {
            let delay_us = site.scene.device_random.between(1, 2 * mean_ms * 1000);
            site.scene.plan(delay_us, Happening::Crash { incarnation });
        }
        self.shoppers.node_started(&mut site.scene);
        Ok(())
    }

    fn crash(&mut self) {
        self.node = None;
        self.crashes += 1;
        let Site { devices, scene, .. } = &mut self.site;
        for (stream, device) in devices.iter_mut().enumerate() {
            let wreck = device.crash(&scene.options, &mut scene.device_random);
            scene.line('!', format_args!("stream {stream} {wreck:?}"));
        }
        // Answers on their way are lost with the connections, and so is everything inside.
        // The vault is another process, and what it was asked stays asked.
        scene.forget(|what| !matches!(what, Happening::Wake { .. } | Happening::Asked { .. }));
        self.shoppers.cut_off();
        self.plan_start();
    }

    fn plan_start(&mut self) {
        let scene = &mut self.site.scene;
        let down_us = scene.device_random.between(1, DOWN_US_MAX);
        scene.plan(down_us, Happening::Start);
    }
}
