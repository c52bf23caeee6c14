//! The wire protocol `claw/1`: its layouts, byte by byte.
//!
//! ```text
//!  client                                             server
//!    Preface 8 B, hello frame (signed)   ------------>
//!                                        <------------ welcome frame: limits, shards, key
//!    commands frame: 1..N commands       ------------>
//!    commands frame                      ------------>
//!                                        <------------ answers frame: 1..N answers, in any order
//!
//!  frame    = FrameHeader 24 B | payload | tag (0, 32 or 64 B)
//!  hello    = HelloHeader | name of the key
//!  welcome  = WelcomeHeader | ShardPlace x shards
//!  commands = (CommandHeader | AfterEntry x n | body | texts | extra) x count
//!  answers  = (AnswerHeader | outcome or problem) x count
//!  closing  = problem
//! ```
//! The whole protocol in words, with examples in hex that a test reads, is in
//! `claw-dataplane/docs/wire.md`. All integers are little-endian, nothing is aligned, `reserved`
//! is zero and refused otherwise. Nothing here parses, signs or decides: see `claw-core::protocol`
//! and `ingest::wire` for the server, `claw-sdk` for the client.

mod answer;
mod command;
mod frame;
mod tag;

#[cfg(test)]
mod tests;

pub use answer::{
    ANSWER_OUTCOME, ANSWER_PROBLEM, AnswerHeader, MEMBER_NUMBER, MEMBER_TEXT, MemberHeader,
    OUTCOME_VERSION, PROBLEM_NAMES, ProblemHeader, problem_code,
};
pub use command::{
    AfterEntry, BASKET_CART, BASKET_HOLD, BASKET_LINES, COUPON_AMOUNT, COUPON_PERCENT,
    COUPON_SUBTOTAL_MIN, CartItemBody, CheckoutBody, CommandHeader, CommandKind, CouponBody,
    ExtendBody, FLAG_VERSION, HoldBody, IdBody, LineHeader, NameBody, PriceBody, ProductBody,
    StockBody,
};
pub use frame::{
    ALGORITHM_ED25519, ALGORITHM_HMAC_SHA256, FRAME_ANSWERS, FRAME_CLOSING, FRAME_COMMANDS,
    FRAME_HELLO, FRAME_WELCOME, FrameHeader, HelloHeader, MAGIC, MODE_SESSION, MODE_SIGNED,
    PREFACE, PREFACE_BYTES, ShardPlace, VERSION, WelcomeHeader,
};
pub use tag::{
    DOMAIN_FRAME, DOMAIN_HELLO, DOMAIN_PROOF, FrameBase, SessionKeys, TAG_BYTES_HASH,
    TAG_BYTES_SIGNATURE, command_digest, identity_key, identity_of, session_keys, session_tag,
};
