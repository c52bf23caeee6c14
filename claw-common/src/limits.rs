//! Every bound of the system, in one place, with proofs that they fit each other.
//!
//! Does not hold tunables: what an operator may change lives in `store.toml` and is clamped to
//! these. A limit that nothing uses is a `cargo xtask tidy` finding.

/// Longest SKU or coupon code, bytes. Fits one cache line with its length.
pub const SKU_BYTES_MAX: usize = 64;
/// Longest session name, bytes.
pub const SESSION_BYTES_MAX: usize = 64;
/// Longest product name, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest free-text reason on a stock movement, bytes.
pub const REASON_BYTES_MAX: usize = 256;
/// Lines in one hold, cart or checkout. Thirty-two distinct SKUs cover the 99.9th percentile of
/// shop carts and keep a hold's memory within five cache lines.
pub const LINES_MAX: usize = 32;
/// Most units of one SKU in one line. Four billion would fit; a million is a typing mistake.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// Most units of stock a SKU may have received in total.
pub const STOCK_MAX: u64 = 1 << 40;
/// Largest unit price, minor units: with `QUANTITY_MAX` and `LINES_MAX` a subtotal cannot overflow.
pub const PRICE_MAX: i64 = 100_000_000_000;
/// Most uses a coupon may have.
pub const COUPON_USES_MAX: u64 = 1 << 40;
/// Shortest hold, milliseconds.
pub const HOLD_TTL_MS_MIN: u64 = 100;
/// Longest hold, milliseconds: one day.
pub const HOLD_TTL_MS_MAX: u64 = 24 * 3600 * 1000;
/// Price points a product remembers.
pub const PRICE_HISTORY_MAX: usize = 16;
/// States an order's history can name.
pub const ORDER_HISTORY_MAX: usize = 16;

/// Shards in a store. Bounds the version vector of a block: 64 x 8 = 512 bytes.
pub const SHARDS_MAX: usize = 64;
/// Data cores, and so streams, in a node.
pub const CORES_MAX: usize = 64;

/// Largest HTTP request body, bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest HTTP request head, bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines in a request.
pub const HEADERS_MAX: usize = 64;
/// Requests one connection may have unanswered.
pub const PIPELINE_MAX: usize = 64;
/// Longest wait a request may ask for with `Prefer: wait`, seconds.
pub const WAIT_SECONDS_MAX: u64 = 30;

/// Largest frame of the wire protocol, bytes, header and tag included.
pub const WIRE_FRAME_BYTES_MAX: usize = 128 * 1024;
/// Commands in one frame of the wire protocol.
pub const WIRE_COMMANDS_MAX: usize = 256;
/// Commands one connection of the wire protocol may have unanswered.
pub const WIRE_IN_FLIGHT_MAX: usize = 1024;
/// Positions one command of the wire protocol may ask to have been seen.
pub const WIRE_AFTER_MAX: usize = SHARDS_MAX;

/// Longest text of a payment (a gateway's token, name, secret or code), bytes.
pub const PAYMENT_TEXT_BYTES_MAX: usize = 255;

/// How often an authorisation that the shopper must act on is asked after, milliseconds; a webhook
/// of the gateway's is usually there first.
pub const PAYMENT_ACTION_POLL_MS: u64 = 5_000;
/// WebSockets of one session on one core.
pub const SOCKETS_PER_SESSION_MAX: usize = 16;
/// How long a hold waits in line for stock at most, milliseconds: an hour.
pub const WAITING_MS_MAX: u64 = 3_600_000;
/// One in so many of a shard's holds may wait in line for stock.
pub const WAITING_SHARE: u32 = 4;
/// Largest message that a WebSocket's client may send, bytes: it has nothing to say.
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 4096;
/// With this much unsent a WebSocket's reader is behind, bytes.
pub const SOCKET_UNSENT_BYTES_MAX: usize = 128 * 1024;
/// Notices of a shard that wait for its answer while a WebSocket opens.
pub const SOCKET_WAITING_MAX: usize = 1024;
/// A WebSocket's client that was not heard for this long is asked, milliseconds.
pub const SOCKET_PING_AFTER_MS: u64 = 30_000;
/// And given up when it has not answered by then, milliseconds.
pub const SOCKET_GONE_AFTER_MS: u64 = 60_000;
/// How long an ended WebSocket waits for its client to take what is sent, milliseconds.
pub const SOCKET_END_MS_MAX: u64 = 5_000;
/// Most SKUs whose stock one WebSocket watches.
pub const SOCKET_STOCK_MAX: usize = 32;
/// SKUs whose stock is watched on one core.
pub const STOCK_WATCHED_MAX: usize = 4096;

/// Attempts of a saga's step that come to nothing before it gives up or is parked: some eight
/// minutes at the delays below.
pub const SAGA_ATTEMPTS_MAX: u16 = 24;
/// Delay after a first attempt that came to nothing, milliseconds; doubled from there.
pub const SAGA_RETRY_DELAY_MS_MIN: u64 = 200;
/// Longest delay between attempts, milliseconds.
pub const SAGA_RETRY_DELAY_MS_MAX: u64 = 30_000;

/// A signature's `created` may be this old, milliseconds.
pub const SIGNATURE_AGE_MS_MAX: u64 = 300_000;
/// A signature's `created` may be this far ahead of our clock, milliseconds.
pub const SIGNATURE_AHEAD_MS_MAX: u64 = 30_000;
/// Longest token, bytes: four times what one with every claim of ours has.
pub const TOKEN_BYTES_MAX: usize = 2048;
/// Longest life of a token, from `iat` to `exp`, seconds: one day.
pub const TOKEN_LIFE_S_MAX: u64 = 24 * 3600;
/// A token's `iat` and `nbf` may be this far ahead of our clock, seconds.
pub const TOKEN_AHEAD_S_MAX: u64 = 30;
/// How long a ticket may wait for its use, milliseconds.
pub const TICKET_LIFE_MS: u64 = 30_000;
/// A command is remembered at least this long: longer than its signature can be used again.
pub const DEDUPLICATION_WINDOW_MS: u64 = 360_000;
/// Commands of one shard being decided with other shards at once; room for the largest answer is
/// reserved in the window for each.
pub const DECIDING_MAX: usize = 4096;
/// An accepted stamp this far ahead of a shard's time counts as now, milliseconds.
pub const CLOCK_SKEW_MS_MAX: u64 = 500;
/// Longest key name (`keyid`), bytes.
pub const KEY_NAME_BYTES_MAX: usize = 64;
/// Keys a store may have registered at once.
pub const KEYS_MAX: usize = 4096;

/// Files of a State-Schema.
pub const SCHEMA_FILES_MAX: usize = 64;
/// One file of a State-Schema, bytes.
pub const SCHEMA_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Event types a store may declare for itself.
pub const SCHEMA_EVENTS_MAX: usize = 256;
/// Members declared in one object.
pub const SCHEMA_FIELDS_MAX: usize = 128;
/// Members of one object that only a `"*"` rule covers.
pub const SCHEMA_OTHERS_MAX: usize = 64;
/// Objects and arrays inside each other, in declarations and in free JSON.
pub const SCHEMA_DEPTH_MAX: usize = 4;
/// Longest text member and longest free JSON, bytes.
pub const SCHEMA_TEXT_BYTES_MAX: usize = 8192;
/// Entries of a list, members of a map, words of an `enum`.
pub const SCHEMA_COUNT_MAX: usize = 256;
/// Longest name of an event type or member, bytes.
pub const SCHEMA_NAME_BYTES_MAX: usize = 64;
/// Steps a text pattern may unroll to: one bit each in a 128-bit word, and one for the end.
pub const SCHEMA_PATTERN_STEPS_MAX: usize = 127;
/// Steps of one upcaster.
pub const SCHEMA_STEPS_MAX: usize = 64;
/// Declared extra members of one event as canonical JSON, bytes.
pub const EXTRA_BYTES_MAX: usize = 16 * 1024;

/// Unit of every device write, bytes; the largest logical block of common devices.
pub const BLOCK_ALIGN_BYTES: usize = 4096;
/// One slot of the registered arena and so the largest block, bytes.
pub const BLOCK_BYTES_MAX: usize = 256 * 1024;
/// Largest record, bytes: a body at its limit, its headers and its signature, with room.
pub const RECORD_BYTES_MAX: usize = 96 * 1024;
/// Entries of a shard (products, holds, orders, ...) up to which its live state is hashed: beyond,
/// its core would stand still for more than some ten milliseconds.
pub const LIVE_HASH_ENTRIES_MAX: usize = 20_000;
/// Largest answer remembered for a command, bytes.
pub const ANSWER_BYTES_MAX: usize = 4096;
/// Smallest de-duplication window, bytes: two answers of the largest size and room to wrap.
pub const DEDUPLICATION_BYTES_MIN: usize = 64 * 1024;
/// Encoded views in one page of a list, bytes; a page ends before it would be exceeded.
pub const LIST_BYTES_MAX: usize = 256 * 1024;
/// Device writes in flight per stream. Four keep a device busy (measured) and bound what a crash
/// can tear.
pub const WRITES_IN_FLIGHT_MAX: usize = 4;
/// Superblock copies, written in turn.
pub const SUPERBLOCKS_COUNT: usize = 4;

const _: () = {
    assert!(SIGNATURE_AGE_MS_MAX + SIGNATURE_AHEAD_MS_MAX < DEDUPLICATION_WINDOW_MS);
    assert!(WIRE_FRAME_BYTES_MAX > BODY_BYTES_MAX + HEAD_BYTES_MAX);
    assert!(WIRE_IN_FLIGHT_MAX >= WIRE_COMMANDS_MAX);
    assert!(WIRE_AFTER_MAX <= u8::MAX as usize);
    assert!(TOKEN_BYTES_MAX < HEAD_BYTES_MAX / 2);
    assert!(RECORD_BYTES_MAX > BODY_BYTES_MAX + HEAD_BYTES_MAX);
    assert!(BLOCK_BYTES_MAX >= 2 * RECORD_BYTES_MAX);
    assert!(BLOCK_BYTES_MAX.is_multiple_of(BLOCK_ALIGN_BYTES));
    assert!((PRICE_MAX as i128) * (QUANTITY_MAX as i128) * (LINES_MAX as i128) < i64::MAX as i128);
    assert!(SHARDS_MAX <= 1 << 16);
    assert!(SCHEMA_TEXT_BYTES_MAX <= EXTRA_BYTES_MAX);
    assert!(EXTRA_BYTES_MAX < BODY_BYTES_MAX);
};
