//! Requests in every cut, refusals of whatever could be read in two ways, time limits, order.

use claw_common::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, PIPELINE_MAX};
use proptest::prelude::*;

use super::*;
use crate::ingest::problem::ProblemKind;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Request { method: String, path: String, query: Option<String>, body: Vec<u8> },
    Continue,
    Refused(ProblemKind),
}

fn note(seen: &mut Vec<Seen>, event: Event<'_>) -> Flow {
    seen.push(match event {
        Event::Request(request) => Seen::Request {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            query: request.query.map(str::to_owned),
            body: request.body.to_vec(),
        },
        Event::Continue => Seen::Continue,
        Event::Refused(problem) => Seen::Refused(problem.kind),
    });
    Flow::Continue
}

fn feed(connection: &mut Connection, bytes: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    connection.ingest(bytes, 0, &mut |event| note(&mut seen, event));
    seen
}

fn read(bytes: &[u8]) -> (Vec<Seen>, bool) {
    let mut connection = Connection::new(0, Timeouts::default());
    let seen = feed(&mut connection, bytes);
    (seen, connection.closed())
}

const GET: &str = "GET /v1/ready?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST /v1/holds HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n";

#[test]
fn pipelined_requests_are_found_and_bodies_joined() {
    let (seen, closed) = read(format!("{GET}{POST}{CHUNKED}\r\n{GET}").as_bytes());
    assert!(!closed);
    let bodies: Vec<_> = seen
        .iter()
        .map(|seen| match seen {
            Seen::Request { body, .. } => std::str::from_utf8(body).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(bodies, ["", "hello", "abc0123456789", ""]);
    assert!(matches!(&seen[0], Seen::Request { path, query, .. }
        if path == "/v1/ready" && query.as_deref() == Some("x=1")));
}

#[test]
fn whatever_could_be_two_requests_is_refused_and_the_connection_closed() {
    let rows: &[(&str, &str)] = &[
        ("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("two equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("list of lengths", "Content-Length: 5, 5\r\n"),
        ("signed length", "Content-Length: +5\r\n"),
        ("negative length", "Content-Length: -5\r\n"),
        ("hexadecimal length", "Content-Length: 0x5\r\n"),
        ("empty length", "Content-Length: \r\n"),
        ("other coding", "Transfer-Encoding: gzip, chunked\r\n"),
        ("doubled coding", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("odd coding", "Transfer-Encoding: \u{b}chunked\r\n"),
        ("identity", "Transfer-Encoding: identity\r\n"),
        ("space before colon", "Content-Length : 5\r\n"),
        ("folded line", "X: a\r\n b\r\n"),
        ("bare LF", "X: a\nContent-Length: 5\r\n"),
        ("bare CR", "X: a\rContent-Length: 5\r\n"),
        ("NUL", "X: a\0b\r\n"),
        ("no name", ": a\r\n"),
        ("no colon", "X\r\n"),
        ("second host", "Host: b\r\n"),
        ("odd host", "Hos\u{e9}: a\r\n"),
        ("doubled signature", "Signature: a\r\nSignature: b\r\n"),
        ("doubled key", "Idempotency-Key: a\r\nidempotency-key: b\r\n"),
    ];
    for (name, lines) in rows {
        let text = format!("POST /v1/holds HTTP/1.1\r\nHost: a\r\n{lines}\r\nhello{GET}");
        let (seen, closed) = read(text.as_bytes());
        assert_eq!(seen, [Seen::Refused(ProblemKind::Malformed)], "{name}");
        assert!(closed, "{name}");
    }
    for line in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
    ] {
        let (seen, closed) = read(line.as_bytes());
        assert_eq!(seen, [Seen::Refused(ProblemKind::Malformed)], "{line:?}");
        assert!(closed, "{line:?}");
    }
}

#[test]
fn chunked_bodies_are_read_strictly() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("x\r\n", ProblemKind::Malformed),
        ("\r\n", ProblemKind::Malformed),
        ("3;a=b\r\nabc\r\n0\r\n\r\n", ProblemKind::Malformed),
        ("3\nabc\r\n0\r\n\r\n", ProblemKind::Malformed),
        ("3\r\nabcd\r\n0\r\n\r\n", ProblemKind::Malformed),
        ("-3\r\nabc\r\n", ProblemKind::Malformed),
        ("0x3\r\nabc\r\n", ProblemKind::Malformed),
        ("0\r\nTrailer: a\r\n\r\n", ProblemKind::Malformed),
        ("10001\r\n", ProblemKind::BodyTooLarge),
        ("ffffffffffffffff0\r\n", ProblemKind::BodyTooLarge),
    ];
    for (body, kind) in rows {
        assert_eq!(read(format!("{head}{body}").as_bytes()), (vec![Seen::Refused(kind)], true));
    }
}

#[test]
fn limits_are_answered_before_memory_grows() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    assert_eq!(read(long.as_bytes()), (vec![Seen::Refused(ProblemKind::HeadTooLarge)], true));
    let mut connection = Connection::new(0, Timeouts::default());
    let mut seen = Vec::new();
    for byte in long.as_bytes().chunks(7) {
        seen.extend(feed(&mut connection, byte));
    }
    assert_eq!(seen, [Seen::Refused(ProblemKind::HeadTooLarge)]);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(HEADERS_MAX));
    assert_eq!(read(many.as_bytes()).0, [Seen::Refused(ProblemKind::HeadTooLarge)]);
    for length in [BODY_BYTES_MAX + 1, usize::MAX] {
        let text = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}0\r\n\r\n");
        assert_eq!(read(text.as_bytes()).0, [Seen::Refused(ProblemKind::BodyTooLarge)]);
    }
}

#[test]
fn clients_that_expect_are_told_to_go_on_once() {
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    let mut connection = Connection::new(0, Timeouts::default());
    assert_eq!(feed(&mut connection, head.as_bytes()), [Seen::Continue]);
    assert_eq!(feed(&mut connection, b"o"), []);
    assert!(matches!(&feed(&mut connection, b"k")[..],
        [Seen::Request { body, .. }] if body == b"ok"));
    let whole = read(format!("{head}ok").as_bytes()).0;
    assert!(matches!(whole[..], [Seen::Request { .. }]));
    let other = head.replace("100-Continue", "gold");
    assert_eq!(read(other.as_bytes()).0, [Seen::Refused(ProblemKind::ExpectationFailed)]);
}

#[test]
fn connections_end_when_the_client_says_so() {
    let close = GET.replace("Host: a", "Host: a\r\nConnection: x, Close");
    let (seen, closed) = read(format!("{close}{GET}").as_bytes());
    assert_eq!((seen.len(), closed), (1, true));
    let (seen, closed) = read(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!((seen.len(), closed), (1, true));
    let (seen, _) = read(b"GET http://A?q HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Request { path, query, .. }]
        if path == "/" && query.as_deref() == Some("q")));
}

#[test]
fn slow_requests_are_answered_408_and_quiet_connections_closed() {
    let mut connection = Connection::new(0, Timeouts::default());
    let mut seen = Vec::new();
    let idle = connection.deadline_ms();
    assert_eq!(connection.expire(idle - 1, &mut |_| Flow::Continue), Expiry::None);
    assert_eq!(connection.expire(idle, &mut |_| Flow::Continue), Expiry::Idle);
    let mut now_ms = idle;
    let head_deadline = now_ms + 10_000;
    for byte in GET.as_bytes().chunks(1).take(8) {
        now_ms += 1_000;
        connection.ingest(byte, now_ms, &mut |event| note(&mut seen, event));
    }
    assert_eq!(connection.deadline_ms(), head_deadline + 1_000, "progress does not extend it");
    let deadline = connection.deadline_ms();
    assert_eq!(connection.expire(deadline, &mut |event| note(&mut seen, event)), Expiry::Refused);
    assert_eq!(seen, [Seen::Refused(ProblemKind::RequestTimeout)]);
    assert_eq!((connection.closed(), connection.deadline_ms()), (true, u64::MAX));
}

#[test]
fn paused_connections_keep_what_arrives_and_go_on_where_they_were() {
    let mut connection = Connection::new(0, Timeouts::default());
    let mut count = 0;
    let three = format!("{GET}{POST}{GET}");
    let (first, rest) = three.as_bytes().split_at(GET.len() + 9);
    connection.ingest(first, 0, &mut |_| {
        count += 1;
        Flow::Pause
    });
    assert!(!connection.wants_bytes());
    connection.ingest(rest, 0, &mut |_| panic!("paused"));
    for expected in [2, 3] {
        connection.resume(0, &mut |_| {
            count += 1;
            Flow::Pause
        });
        assert_eq!(count, expected);
    }
    connection.resume(0, &mut |_| panic!("nothing is left"));
    assert!(connection.wants_bytes());
}

#[test]
fn answers_leave_in_the_order_of_their_requests() {
    let mut queue = ResponseQueue::default();
    let tickets: Vec<_> = (0..4).map(|_| queue.open()).collect();
    let mut sent = Vec::new();
    for index in [2, 1, 0] {
        let letter = b'a' + u8::try_from(index).unwrap();
        queue.complete(tickets[index], &mut sent, |out| out.push(letter));
    }
    assert_eq!(sent, b"abc");
    queue.complete(tickets[1], &mut sent, |_| panic!("answered twice"));
    assert_eq!(queue.len(), 1);
    queue.clear();
    queue.complete(tickets[3], &mut sent, |_| panic!("nobody waits"));
    while queue.has_room() {
        queue.open();
    }
    assert_eq!(queue.len(), PIPELINE_MAX);
}

proptest! {
    #[test]
    fn any_cut_of_valid_requests_gives_the_same_requests(
        picks in prop::collection::vec(0_usize..3, 1..6),
        cuts in prop::collection::vec(1_usize..40, 0..60),
    ) {
        let text: String = picks.iter().map(|&pick| [GET, POST, CHUNKED][pick]).collect();
        let whole = read(text.as_bytes()).0;
        let mut connection = Connection::new(0, Timeouts::default());
        let (mut seen, mut rest) = (Vec::new(), text.as_bytes());
        for cut in cuts {
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            seen.extend(feed(&mut connection, piece));
            rest = left;
        }
        seen.extend(feed(&mut connection, rest));
        prop_assert_eq!(seen.len(), picks.len());
        prop_assert_eq!(seen, whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_end_at_the_first_refusal(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        start in 0_usize..4,
    ) {
        let mut connection = Connection::new(0, Timeouts::default());
        let start = [b"".as_slice(), b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\n", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"][start];
        let mut refused = 0;
        for piece in std::iter::once(start).chain(pieces.iter().map(Vec::as_slice)) {
            for seen in feed(&mut connection, piece) {
                prop_assert_eq!(refused, 0);
                refused += usize::from(matches!(seen, Seen::Refused(_)));
            }
        }
        prop_assert_eq!(refused == 1, connection.closed());
    }
}
