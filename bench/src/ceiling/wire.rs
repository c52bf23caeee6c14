//! The wire protocol of a server that does nothing: clients are let in, frames cut, and each
//! command gets the same hold for an answer.
//!
//! Answers carry the tags that the client checks. Deliberately looks at no tag and at no command
//! but for its number.

use anyhow::{Result, bail};
use claw_common::id::{Id, Position, ShardId};
use claw_common::money::Currency;
use claw_common::time::UnixMs;
use claw_core::codec::{Encode as _, Writer};
use claw_core::lines::LinesBuffer;
use claw_core::outcome::{HoldState, HoldView, Outcome};
use claw_core::protocol::CommandView;
use claw_dataplane::ingest::auth::Keyring;
use claw_dataplane::ingest::http::{Flow, Timeouts};
use claw_dataplane::ingest::wire::answers::Asked;
use claw_dataplane::ingest::wire::{Answers, Event, Framing, Preface, Protocol};

use super::speech::Speech;
use crate::greeting::greet;
use crate::scenario::store::HOT_SKU;

/// When the hold of every answer ends: in the year 2100.
const EXPIRES_AT_MS: UnixMs = 4_102_444_800_000;
/// Of the hold in every answer.
const PRICE: i64 = 1_000;

/// What all connections have in common.
pub(super) struct Wire {
    keyring: Keyring,
    outcome: Vec<u8>,
}

/// A connection.
pub(super) struct Link {
    preface: Preface,
    framing: Framing,
    answers: Answers,
    greeted: bool,
    out: Vec<u8>,
    now_ms: UnixMs,
}

impl Wire {
    /// For clients that sign with a key of the ring.
    pub(super) fn new(keyring: Keyring) -> Self {
        Self { keyring, outcome: outcome() }
    }
}

impl Speech for Wire {
    type Link = Link;

    fn open(&self, now_ms: UnixMs) -> Link {
        Link {
            preface: Preface::default(),
            framing: Framing::new(now_ms, Timeouts::default()),
            answers: Answers::default(),
            greeted: false,
            out: Vec::new(),
            now_ms,
        }
    }

    fn receive(
        &self,
        link: &mut Link,
        (bytes, now_ms): (&[u8], UnixMs),
        asked: &mut impl FnMut(u64, &[u8]),
    ) -> Result<()> {
        let Link { preface, framing, answers, greeted, out, .. } = link;
        let (Protocol::Wire, bytes) = preface.look(bytes) else {
            bail!("the client does not speak the wire protocol");
        };
        let mut greeting = Ok(());
        framing.ingest(bytes, now_ms, &mut |event| {
            match event {
                Event::Command(command, _) => asked(CommandView::sequence_of(command), command),
                Event::Frame(_) if *greeted => {}
                Event::Frame(hello) => match greet(hello, &self.keyring, now_ms) {
                    Ok((session, frame)) => {
                        answers.welcome(out, &frame, &session);
                        *greeted = true;
                    }
                    Err(error) => greeting = Err(error),
                },
                Event::Refused(problem) => bail_into(&mut greeting, &problem.detail),
            }
            if greeting.is_ok() { Flow::Continue } else { Flow::Close }
        });
        link.now_ms = now_ms;
        greeting
    }

    fn answer(&self, link: &mut Link, sequence: u64) -> Result<()> {
        let Link { answers, out, now_ms, .. } = link;
        let asked = Asked { sequence, checkout: false, waited: false, now_ms: *now_ms };
        let position = Position { shard: ShardId(0), sequence: 1 };
        answers.outcome(out, asked, &self.outcome, position)?;
        Ok(())
    }

    fn to_send(link: &mut Link) -> &mut Vec<u8> {
        link.answers.seal(&mut link.out);
        &mut link.out
    }
}

fn bail_into(greeting: &mut Result<()>, detail: &str) {
    *greeting = Err(anyhow::anyhow!("a frame: {detail}"));
}

/// The answer to every command: a hold of one unit.
fn outcome() -> Vec<u8> {
    let mut lines = LinesBuffer::default();
    lines.add(HOT_SKU, 1, PRICE).expect("a good line");
    let view = HoldView {
        created: true,
        hold: Id([1; 16]),
        state: HoldState::Active,
        lines: lines.lines(),
        currency: Currency::parse("EUR").expect("a currency"),
        expires_at_ms: EXPIRES_AT_MS,
    };
    let outcome = Outcome::Hold(view);
    let mut bytes = vec![0; outcome.encoded_bytes_max()];
    let mut writer = Writer::new(&mut bytes);
    outcome.encode(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use claw_sdk::key::generate_secret;
    use claw_sdk::wire::{Command, Extras, Identity, Line, Machine, Mode};

    use super::*;
    use crate::greeting;

    const NOW_MS: UnixMs = 1_800_000_000_000;

    #[test]
    fn every_command_gets_a_hold_that_the_client_takes() {
        let (signer, keyring) = greeting::keys(&generate_secret().unwrap()).unwrap();
        let (wire, mut asked) = (Wire::new(keyring), Vec::new());
        let mut link = wire.open(NOW_MS);
        let identity = Identity { signer: Arc::new(signer), mode: Mode::Session, session: [7; 16] };
        let mut machine = Machine::new(identity, 1);
        machine.connect(NOW_MS, [9; 32]);
        for round in 0..3 {
            if round > 0 {
                let lines = [Line { sku: HOT_SKU, quantity: 1 }];
                let hold = Command::CreateHold { session: "s", lines: &lines, ttl_ms: None };
                for _ in 0..2 {
                    machine.push(&hold, Extras::default()).unwrap();
                }
                machine.flush();
            }
            let bytes = machine.transmit().to_vec();
            machine.transmitted(bytes.len());
            // However it is cut.
            for part in bytes.chunks(100) {
                let mut ask = |sequence, _: &[u8]| asked.push(sequence);
                wire.receive(&mut link, (part, NOW_MS), &mut ask).unwrap();
            }
            for sequence in asked.drain(..) {
                wire.answer(&mut link, sequence).unwrap();
            }
            let out = std::mem::take(Wire::to_send(&mut link));
            machine.space()[..out.len()].copy_from_slice(&out);
            machine.received(out.len());
            let mut answers = 0;
            while let Some(answer) = machine.next_answer().unwrap() {
                assert_eq!(answer.status, 201);
                answers += 1;
            }
            assert_eq!(answers, if round == 0 { 0 } else { 2 });
        }
    }

    #[test]
    fn what_is_no_frame_is_told() {
        let (_, keyring) = greeting::keys(&generate_secret().unwrap()).unwrap();
        let wire = Wire::new(keyring);
        let mut link = wire.open(NOW_MS);
        let said = wire.receive(&mut link, (b"GET / HTTP/1.1\r\n", NOW_MS), &mut |_, _| {});
        assert!(said.unwrap_err().to_string().contains("does not speak"));
    }
}
