//! Shoppers, answered by hand: what they ask next, and what the ledger learns.

use super::super::answer::Body;
use super::super::scenarios;
use super::*;

const HOLD: &[u8] = br#"{"hold_id":"018bcfe5-687b-7fff-bfff-ffffffff0000",
    "items":[],"expires_at":"2026-01-01T00:00:10.000Z"}"#;
const PLACED: &[u8] = br#"{"order_id":"018bcfe5-687b-7fff-bfff-ffffffff0001","state":"placed"}"#;
const CONFIRMING: &[u8] =
    br#"{"order_id":"018bcfe5-687b-7fff-bfff-ffffffff0001","state":"confirming"}"#;

/// One shopper whose only habit is the behaviour `text`.
struct Shop {
    scenario: Scenario,
    chooser: Chooser,
    ledger: Ledger,
    user: User,
}

impl Shop {
    fn new(text: &str) -> Self {
        let base = scenarios::text("smoke").unwrap().split("[[behaviour]]").next().unwrap();
        let text = format!("{base}[[behaviour]]\nweight = 1\n{text}");
        let scenario = Scenario::parse("t", "t", &text).unwrap();
        let chooser = Chooser::new(&scenario);
        let ledger = Ledger::new(scenario.products.len(), scenario.coupons.len());
        Self { scenario, chooser, ledger, user: User::new(7, 0) }
    }

    fn tell(&mut self, event: Event<'_>) -> Action {
        let mut crowd = Crowd {
            scenario: &self.scenario,
            chooser: &self.chooser,
            ledger: &mut self.ledger,
            run_nonce: 0,
            now_ms: 0,
        };
        self.user.advance(&mut crowd, event)
    }

    fn ask(&mut self) -> Request {
        assert_eq!(self.tell(Event::Ready), Action::Send);
        *self.user.request()
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Action {
        self.tell(Event::Answered(&Answer { status, retry_after_s: None, body: Body::Json(body) }))
    }

    fn close(&mut self) {
        let mut crowd = Crowd {
            scenario: &self.scenario,
            chooser: &self.chooser,
            ledger: &mut self.ledger,
            run_nonce: 0,
            now_ms: 0,
        };
        self.user.close(&mut crowd);
    }

    fn sold(&self) -> u64 {
        self.ledger.sold.iter().sum()
    }

    fn uncertain(&self) -> u64 {
        self.ledger.uncertain.iter().sum()
    }
}

const BUYER: &str = "kind = \"hold\"\ncheckout = 1.0\nquantity = [2, 2]\n";
const STORM: &str =
    "kind = \"retry-storm\"\nof = \"checkouts\"\nresends = [2, 2]\nquantity = [3, 3]\n";

#[test]
fn hold_is_bought_and_counted_once() {
    let mut shop = Shop::new(BUYER);
    assert!(matches!(shop.ask().operation, Operation::Hold { .. }));
    shop.answer(201, HOLD);
    let Operation::Checkout { source: Source::Hold(_), .. } = shop.ask().operation else {
        panic!("{:?}", shop.user);
    };
    shop.answer(202, CONFIRMING);
    assert!(matches!(shop.ask().operation, Operation::ViewOrder { .. }));
    assert_eq!(shop.sold(), 0, "not before it is placed");
    shop.answer(200, PLACED);
    assert_eq!((shop.sold(), shop.ledger.orders_placed), (2, 1));
    shop.close();
    assert_eq!(shop.uncertain(), 0);
}

#[test]
fn sold_out_starts_another_journey_and_is_no_doubt() {
    let mut shop = Shop::new(BUYER);
    shop.ask();
    shop.answer(409, br#"{"type":"urn:openclaw:problem:sold-out"}"#);
    assert!(matches!(shop.ask().operation, Operation::Hold { .. }));
    shop.close();
    assert_eq!((shop.sold(), shop.uncertain(), shop.ledger.unreadable), (0, 0, 0));
}

#[test]
fn lost_answer_is_asked_for_again_with_the_same_key_and_then_doubted() {
    let mut shop = Shop::new("kind = \"checkout\"\n");
    let first = shop.ask();
    for _ in 1..ATTEMPTS_MAX {
        assert!(matches!(shop.tell(Event::Lost), Action::Pause(_)));
        assert_eq!(shop.ask().key, first.key);
    }
    shop.tell(Event::Lost);
    assert_eq!(shop.uncertain(), 1);
    assert_ne!(shop.ask().key, first.key, "the next journey has its own key");
}

#[test]
fn refusals_are_waited_out_and_leave_no_doubt_behind() {
    let mut shop = Shop::new("kind = \"checkout\"\n");
    let first = shop.ask();
    let answer = Answer { status: 503, retry_after_s: Some(2), body: Body::Json(b"") };
    let Action::Pause(pause) = shop.tell(Event::Answered(&answer)) else { panic!("a pause") };
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    assert_eq!(shop.ask().key, first.key);
    for _ in 0..ATTEMPTS_MAX {
        shop.tell(Event::Answered(&answer));
        shop.ask();
    }
    shop.answer(503, b"");
    shop.close();
    assert_eq!(shop.uncertain(), 0, "a refused command was not done");
}

#[test]
fn request_that_is_out_at_the_end_is_doubted() {
    let mut shop = Shop::new("kind = \"checkout\"\n");
    shop.ask();
    shop.close();
    assert_eq!(shop.uncertain(), 1);
}

#[test]
fn storm_keeps_its_key_and_counts_its_order_once() {
    let mut shop = Shop::new(STORM);
    let key = shop.ask().key;
    assert!(key.is_some());
    shop.answer(202, CONFIRMING);
    for _ in 0..2 {
        assert_eq!(shop.ask().key, key);
        shop.answer(200, PLACED);
    }
    assert_eq!((shop.sold(), shop.ledger.orders_placed), (3, 1));
    assert_eq!((shop.ledger.replays_same, shop.ledger.replays_different), (2, 0));
}

#[test]
fn another_answer_to_the_same_key_is_an_error() {
    let mut shop = Shop::new(STORM);
    shop.ask();
    shop.answer(200, PLACED);
    shop.ask();
    let other = String::from_utf8_lossy(PLACED).replace("0001\"", "0002\"");
    shop.answer(200, other.as_bytes());
    assert_eq!(shop.ledger.replays_different, 1);
    assert!(shop.ledger.first_error.as_ref().unwrap().contains("another answer"));
}

#[test]
fn storm_cut_at_the_end_counts_what_it_saw() {
    let mut shop = Shop::new(STORM);
    shop.ask();
    shop.answer(200, PLACED);
    shop.ask();
    shop.close();
    assert_eq!((shop.sold(), shop.uncertain()), (3, 0));
}

#[test]
fn storm_never_leaves_its_last_answer_unread() {
    let mut shop = Shop::new(&format!("{STORM}reconnect_share = 1.0\n"));
    let mut unread = 0;
    for _ in 0..300 {
        match shop.ask().manner {
            Manner::Unread => {
                unread += 1;
                shop.tell(Event::Cut);
            }
            Manner::Fresh => {
                shop.answer(200, PLACED);
            }
            Manner::Kept => panic!("a reconnect share of 1 keeps no connection"),
        }
    }
    assert!(unread > 50, "{unread}");
    assert_eq!(shop.uncertain(), 0);
}

#[test]
fn abandoned_hold_is_remembered_until_it_expires() {
    let mut shop = Shop::new("kind = \"bot\"\nquantity = [4, 4]\n");
    shop.ask();
    shop.answer(201, HOLD);
    let expires_ms = 1_767_225_610_000;
    assert_eq!(shop.ledger.held_beyond(expires_ms - 1).iter().sum::<u64>(), 4);
    assert_eq!(shop.ledger.held_beyond(expires_ms).iter().sum::<u64>(), 0);
}

#[test]
fn bot_tries_one_product_again_without_a_pause_and_with_new_keys() {
    let mut shop = Shop::new("kind = \"bot\"\ntries = [5, 5]\n");
    let mut keys = Vec::new();
    for _ in 0..5 {
        let request = shop.ask();
        let Operation::Hold { lines, .. } = request.operation else { panic!("{request:?}") };
        assert_eq!(lines.iter().next().unwrap().product, 0, "the hot one");
        keys.push(request.key);
        assert_eq!(shop.answer(409, b""), Action::Pause(Duration::ZERO));
    }
    keys.dedup();
    assert_eq!(keys.len(), 5);
}

#[test]
fn answer_without_its_id_is_unreadable() {
    let mut shop = Shop::new(BUYER);
    shop.ask();
    shop.answer(201, b"{}");
    assert_eq!(shop.ledger.unreadable, 1);
}

#[test]
fn cart_is_filled_line_by_line_and_bought() {
    let mut shop = Shop::new("kind = \"cart\"\nlines = [3, 3]\ncheckout = 1.0\n");
    assert!(matches!(shop.ask().operation, Operation::OpenCart));
    shop.answer(201, br#"{"cart_id":"018bcfe5-687b-7fff-bfff-ffffffff0002"}"#);
    let mut filled = Vec::new();
    let bought = loop {
        match shop.ask().operation {
            Operation::FillCart { line, .. } => filled.push(line.product),
            other => break other,
        }
        shop.answer(200, b"{}");
    };
    assert!(matches!(bought, Operation::Checkout { source: Source::Cart(_), .. }), "{bought:?}");
    filled.sort_unstable();
    filled.dedup();
    assert_eq!(filled.len(), shop.user.lines.iter().count(), "each line once");
}

#[test]
fn one_seed_makes_one_journey() {
    let journey = |seed| {
        let mut shop = Shop::new("kind = \"browse\"\nviews = [1, 9]\n");
        shop.user = User::new(seed, 3);
        (0..20)
            .map(|_| {
                let asked = format!("{:?}", shop.ask().operation);
                shop.answer(200, b"{}");
                asked
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(journey(1), journey(1));
    assert_ne!(journey(1), journey(2));
}
