//! Both messages come back as they went, and nothing else is taken for one.

use claw_common::id::{Id, ShardId};
use claw_common::limits::PAYMENT_TEXT_BYTES_MAX;
use claw_common::money::Currency;

use super::{ANSWER_BYTES_MAX, ASK_BYTES_MAX, Answer, Ask, PaymentStep, Verdict};
use crate::codec::{Decode, Encode, Reader, Writer};

fn bytes_of(value: &dyn Encode, bound: usize) -> Vec<u8> {
    let mut bytes = vec![0; bound];
    let mut writer = Writer::new(&mut bytes);
    value.encode(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    bytes
}

fn longest() -> String {
    "x".repeat(PAYMENT_TEXT_BYTES_MAX)
}

fn ask(step: PaymentStep, token: &str) -> Ask<'_> {
    Ask {
        order: Id([7; 16]),
        shard: ShardId(3),
        step,
        attempt: 2,
        amount: 1999,
        currency: Currency::parse("EUR").unwrap(),
        token,
        intent: token,
    }
}

#[test]
fn asks_of_every_step_come_back_within_their_bound() {
    let token = longest();
    for step in PaymentStep::ALL {
        let asked = ask(step, &token);
        let bytes = bytes_of(&asked, ASK_BYTES_MAX);
        assert_eq!(bytes.len(), ASK_BYTES_MAX);
        assert_eq!(Ask::decode(&mut Reader::new(&bytes)), Ok(asked));
    }
}

#[test]
fn answers_of_every_verdict_come_back_within_their_bound() {
    let text = longest();
    for verdict in [
        Verdict::Done { intent: &text },
        Verdict::RequiresAction { intent: &text, client_secret: &text },
        Verdict::Refused { code: &text },
        Verdict::Unavailable { code: &text },
    ] {
        let answer =
            Answer { order: Id([7; 16]), shard: ShardId(3), step: PaymentStep::Capture, verdict };
        let bytes = bytes_of(&answer, ANSWER_BYTES_MAX);
        assert_eq!(Answer::decode(&mut Reader::new(&bytes)), Ok(answer));
    }
}

#[test]
fn text_beyond_its_bound_is_not_read() {
    let text = longest() + "x";
    let bytes = bytes_of(&ask(PaymentStep::Authorize, &text), 2 * ASK_BYTES_MAX);
    assert!(Ask::decode(&mut Reader::new(&bytes)).is_err());
}

#[test]
fn unknown_numbers_are_not_read() {
    let mut bytes = bytes_of(&ask(PaymentStep::Authorize, ""), ASK_BYTES_MAX);
    bytes[18] = 9;
    assert!(Ask::decode(&mut Reader::new(&bytes)).is_err());
    assert!(Verdict::decode(&mut Reader::new(&[9, 0, 0])).is_err());
}
