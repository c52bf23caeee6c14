//! Checkouts over the wire: what they may say of a payment, and that it survives the log.

use claw_common::limits::PAYMENT_TEXT_BYTES_MAX;
use claw_common::wire::{BASKET_LINES, CheckoutBody, CommandHeader, CommandKind, LineHeader};
use claw_core::codec::{Decode as _, Encode as _, Reader, Writer};
use claw_core::command::{Command, CommandKey};
use claw_core::protocol::CommandView;
use claw_core::schema::{CompiledSchema, SchemaFile};
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::decode::{Input, Scratch, decode};
use crate::ingest::decode::Settings;
use crate::ingest::problem::{Problem, ProblemKind};

const SETTINGS: Settings = Settings {
    shards_count: 1,
    hold_ttl_ms_default: 60_000,
    checkout_ttl_ms: 30_000,
    takes_payments: true,
};

/// A checkout of one line, paid with `token`.
fn checkout(token: &str) -> Vec<u8> {
    let mut line = LineHeader::new_zeroed();
    line.quantity = 1.into();
    line.sku_bytes = 4;
    let mut body = CheckoutBody::new_zeroed();
    body.basket_kind = BASKET_LINES;
    body.session_bytes = 3;
    body.payment_bytes = u16::try_from(token.len()).unwrap().into();
    body.lines_count = 1.into();
    let texts = [b"ada", token.as_bytes(), line.as_bytes(), b"clog"].concat();
    let mut header = CommandHeader::new_zeroed();
    let length = size_of::<CommandHeader>() + size_of::<CheckoutBody>() + texts.len();
    header.length_bytes = u32::try_from(length).unwrap().into();
    header.kind = CommandKind::Checkout as u8;
    header.sequence = 1.into();
    [header.as_bytes(), body.as_bytes(), &texts].concat()
}

/// Decodes it, and reads the command again as the log and other cores do.
fn take(token: &str) -> Result<bool, Problem> {
    let file = SchemaFile { name: "a.toml".to_owned(), text: "[schema]\nversion = 1\n".to_owned() };
    let schema = CompiledSchema::parse(&[file]).unwrap();
    let bytes = checkout(token);
    let command = &CommandView::read(&bytes).unwrap();
    let identity = CommandKey { key: [1; 16], digest: [2; 16] };
    let input = Input { command, identity, schema: &schema, settings: &SETTINGS, now_ms: 1_000 };
    decode(&input, &mut Scratch::default(), |routed| {
        let mut bytes = vec![0; routed.command.encoded_bytes_max()];
        routed.command.encode(&mut Writer::new(&mut bytes));
        let again = Command::decode(&mut Reader::new(&bytes));
        matches!(again, Ok(Command::Checkout { payment, .. }) if payment == Some(token))
    })
}

#[test]
fn payment_token_that_the_log_could_not_read_again_is_refused() {
    for token in ["", "pm_card_visa", &"t".repeat(PAYMENT_TEXT_BYTES_MAX)] {
        assert_eq!(take(token), Ok(true), "{token}");
    }
    for token in [&"t".repeat(PAYMENT_TEXT_BYTES_MAX + 1), "pm\0card", "pm\u{e9}", "pm\n"] {
        let problem = take(token).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Schema, "{token}");
        assert!(problem.detail.contains("payment.token"), "{}", problem.detail);
    }
}
