//! WebSockets: opened by a ticket once, told of their session's own changes, and of all of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use claw_sdk::client::Client;
use claw_tests::{Node, Store};
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// Longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    store: Store,
    node: Node,
}

impl World {
    fn start(settings: &[(&str, &str)], args: &[&str]) -> Self {
        let store = Store::with("minimal", settings);
        let node = Node::start_with(&store, args);
        Self { store, node }
    }

    fn client(&self, key: &str) -> Client {
        self.node.client(&self.store, key)
    }

    fn ask(&self, key: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.client(key).request(method, target, &body).expect("the node answers");
        (answer.status, answer.json())
    }

    fn stock(&self, sku: &str, units: i64) {
        let product = json!({"name": "A shoe", "price": {"amount": 100, "currency": "EUR"}});
        assert_eq!(self.ask("source", "PUT", &format!("/v1/products/{sku}"), &product).0, 201);
        let delta = json!({"delta": units, "reason": "x"});
        let moved = self.ask("source", "POST", &format!("/v1/products/{sku}/stock"), &delta);
        assert_eq!(moved.0, 200);
    }

    fn ticket(&self, session: &str) -> String {
        let (status, made) =
            self.ask("storefront", "POST", "/v1/tickets", &json!({"session": session}));
        assert_eq!(status, 201, "{made}");
        made["ticket"].as_str().expect("a ticket").to_owned()
    }

    /// The answer to a request that would open a WebSocket.
    fn try_open(&self, query: &str, origin: Option<&str>) -> Result<Watch, (u16, Value)> {
        let stream = TcpStream::connect(self.node.authority()).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let url = format!("ws://{}/v1/ws?{query}", self.node.authority());
        let mut request = url.into_client_request().expect("a URL");
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().expect("an origin"));
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Watch { socket, cursor: String::new() }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn open(&self, session: &str, more: &str) -> Watch {
        let query = format!("ticket={}{more}", self.ticket(session));
        let mut watch = self.try_open(&query, None).expect("it opens");
        assert_eq!(watch.next()["type"], "open");
        watch
    }

    fn buy(&self, session: &str, sku: &str) -> String {
        let body = json!({"session": session, "items": [{"sku": sku, "quantity": 1}]});
        let (status, started) = self.ask("storefront", "POST", "/v1/checkouts", &body);
        assert_eq!(status, 202, "{started}");
        started["order_id"].as_str().expect("an id").to_owned()
    }
}

struct Watch {
    socket: WebSocket<TcpStream>,
    cursor: String,
}

impl Watch {
    fn text(&mut self) -> String {
        loop {
            match self.socket.read().expect("a message in time") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn next(&mut self) -> Value {
        let text = self.text();
        let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        told["cursor"].as_str().expect("a cursor").clone_into(&mut self.cursor);
        told
    }

    /// Reads until an order has come to a state; the states on the way.
    fn until(&mut self, order: &str, state: &str) -> Vec<String> {
        let mut states = Vec::new();
        loop {
            let told = self.next();
            if told["order_id"] == order {
                states.push(told["state"].as_str().expect("a state").to_owned());
            }
            if states.last().is_some_and(|last| last == state) {
                return states;
            }
        }
    }
}

#[test]
fn shopper_is_told_of_own_orders_and_of_nobody_elses() {
    let world = World::start(&[("store.shards", "4")], &["--cores", "2"]);
    for sku in ["clog", "mule", "pump", "sock"] {
        world.stock(sku, 100);
    }
    // On both cores, whatever core takes the connection.
    let mut ada: Vec<Watch> = (0..4).map(|_| world.open("ada", "")).collect();
    let mut eve = world.open("eve", "");
    for sku in ["clog", "mule", "pump", "sock"] {
        let order = world.buy("ada", sku);
        for watch in &mut ada {
            assert_eq!(watch.until(&order, "placed"), ["placed"]);
        }
    }
    let own = world.buy("eve", "clog");
    let told = eve.next();
    assert_eq!((&told["order_id"], &told["state"]), (&json!(own), &json!("placed")));
}

#[test]
fn expired_hold_and_changed_cart_are_told_and_stock_is_watched() {
    let world = World::start(&[], &[]);
    world.stock("clog", 5);
    let mut watch = world.open("ada", "&stock=clog");
    let told = watch.next();
    assert_eq!((&told["type"], &told["available"]), (&json!("stock"), &json!(5)));
    let hold = json!({"session": "ada", "items": [{"sku": "clog", "quantity": 2}], "ttl_ms": 1000});
    let (status, hold) = world.ask("storefront", "POST", "/v1/holds", &hold);
    assert_eq!(status, 201, "{hold}");
    let told = watch.next();
    assert_eq!((&told["sku"], &told["available"]), (&json!("clog"), &json!(3)));
    let (mut expired, mut back) = (false, false);
    while !(expired && back) {
        let told = watch.next();
        expired |= told["hold_id"] == hold["hold_id"] && told["state"] == "expired";
        back |= told["available"] == 5;
    }
    let (_, cart) = world.ask("storefront", "POST", "/v1/carts", &json!({"session": "ada"}));
    let cart = cart["cart_id"].as_str().expect("an id").to_owned();
    let target = format!("/v1/carts/{cart}/items/clog");
    assert_eq!(world.ask("storefront", "PUT", &target, &json!({"quantity": 1})).0, 200);
    let told = watch.next();
    assert_eq!((&told["type"], &told["cart_id"]), (&json!("cart"), &json!(cart)));
}

#[test]
fn watcher_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let mut world = World::start(&[("store.shards", "2")], &[]);
    for sku in ["clog", "mule"] {
        world.stock(sku, 100);
    }
    let mut watch = world.open("ada", "");
    let first = world.buy("ada", "clog");
    watch.until(&first, "placed");
    let cursor = watch.cursor.clone();
    drop(watch);
    let mut away: Vec<String> = ["clog", "mule"].map(|sku| world.buy("ada", sku)).into();
    for restart in [false, true] {
        if restart {
            assert!(world.node.terminate().success());
            world.node.start_again(&world.store);
        }
        let mut watch = world.open("ada", &format!("&after={cursor}"));
        let mut told: Vec<String> = (0..away.len())
            .map(|_| watch.next()["order_id"].as_str().expect("an id").to_owned())
            .collect();
        told.sort();
        away.sort();
        assert_eq!(told, away, "and not the first again");
        // Up to date: what comes next is new.
        let mut again = world.open("ada", &format!("&after={}", watch.cursor));
        let next = world.buy("ada", "mule");
        for watch in [&mut watch, &mut again] {
            assert_eq!(watch.next()["order_id"], next);
        }
        assert_eq!(
            world.ask("storefront", "POST", &format!("/v1/orders/{next}/ship"), &Value::Null).0,
            200
        );
        assert_eq!(watch.until(&next, "shipped"), ["shipped"]);
        // Twice changed, and told once to who comes back with the old cursor.
        away.push(next);
    }
}

#[test]
fn end_of_a_hold_is_told_live_as_it_is_to_one_who_comes_back() {
    let world = World::start(&[], &[]);
    world.stock("clog", 5);
    let mut watch = world.open("ada", "");
    let cursor = watch.cursor.clone();
    let items = json!([{"sku": "clog", "quantity": 1}]);
    let hold = json!({"session": "ada", "items": items, "ttl_ms": 60_000});
    let (status, hold) = world.ask("storefront", "POST", "/v1/holds", &hold);
    assert_eq!(status, 201, "{hold}");
    let body = json!({"session": "ada", "hold_id": hold["hold_id"]});
    let (status, order) = world.ask("storefront", "POST", "/v1/checkouts", &body);
    assert_eq!(status, 202, "{order}");
    // Both were changed by one decision.
    let wanted = [(&hold["hold_id"], "sold"), (&order["order_id"], "placed")];
    let heard = |watch: &mut Watch| {
        let cursors = wanted.map(|(id, state)| {
            let told = watch.next();
            let name = if state == "sold" { "hold_id" } else { "order_id" };
            assert_eq!((&told[name], &told["state"]), (id, &json!(state)));
            watch.cursor.clone()
        });
        assert_ne!(cursors[0], cursors[1]);
        cursors
    };
    let [between, _] = heard(&mut watch);
    // One who was cut off between the two misses neither.
    for after in [cursor, between] {
        heard(&mut world.open("ada", &format!("&after={after}")));
    }
}

#[test]
fn line_is_served_in_order_and_each_is_told_when_it_is_its_turn() {
    let mut world = World::start(&[("store.shards", "2")], &["--cores", "2"]);
    world.stock("clog", 1);
    let basket = |session: &str, ttl_ms: u64| {
        json!({"session": session, "ttl_ms": ttl_ms,
        "items": [{"sku": "clog", "quantity": 1}]})
    };
    let join = |world: &World, session: &str| {
        let (status, hold) =
            world.ask("storefront", "POST", "/v1/waitlist", &basket(session, 1_000));
        assert_eq!(status, 201, "{hold}");
        hold
    };
    let first = join(&world, "first");
    assert_eq!(first["state"], "active", "there is one: {first}");
    let mut watches = ["ada", "eve"].map(|session| world.open(session, ""));
    let waiting = ["ada", "eve"].map(|session| join(&world, session));
    for hold in &waiting {
        assert_eq!(hold["state"], "waiting");
    }
    let bare = basket("bob", 1_000);
    assert_eq!(world.ask("storefront", "POST", "/v1/holds", &bare).0, 409, "sold out");
    // The first lets it expire, so does ada; both times it goes to the next, who is told.
    for (watch, hold) in watches.iter_mut().zip(&waiting) {
        let told = watch.next();
        assert_eq!((&told["hold_id"], &told["state"]), (&hold["hold_id"], &json!("active")));
    }
    // Who was away when it was his turn is told when he comes back; so it is after a restart.
    let cursor = watches[1].cursor.clone();
    let last = join(&world, "ada");
    assert!(world.node.terminate().success());
    world.node.start_again(&world.store);
    let mut back = world.open("ada", &format!("&after={cursor}"));
    loop {
        let told = back.next();
        if told["hold_id"] == last["hold_id"] && told["state"] == "active" {
            break;
        }
    }
    let target = format!("/v1/holds/{}", last["hold_id"].as_str().expect("an id"));
    assert_eq!(world.ask("storefront", "DELETE", &target, &Value::Null).0, 200);
    let several = json!({"session": "ada",
        "items": [{"sku": "clog", "quantity": 1}, {"sku": "mule", "quantity": 1}]});
    let (status, refused) = world.ask("storefront", "POST", "/v1/waitlist", &several);
    assert_eq!(status, 409, "{refused}");
    let (code, said) = world.store.claw(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn client_that_only_sends_and_does_not_read_is_closed() {
    let world = World::start(&[], &[]);
    let mut watch = world.open("ada", "");
    let stream = watch.socket.get_mut();
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    // Masked pings of the largest size, one a packet: each read is answered once.
    let ping = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    // How many that takes is the machine's: a node that is busy reads many at once.
    let deadline = std::time::Instant::now() + PATIENCE;
    let tries = std::iter::repeat_with(|| stream.write_all(&ping).err());
    let refused = tries.take_while(|_| std::time::Instant::now() < deadline).flatten().next();
    let error = refused.expect("its answers are not kept for ever");
    let gone = [std::io::ErrorKind::ConnectionReset, std::io::ErrorKind::BrokenPipe];
    assert!(gone.contains(&error.kind()), "closed by the node, not {error}");
    drop(world.open("ada", ""));
}

#[test]
fn what_comes_behind_an_upgrade_is_no_request() {
    let world = World::start(&[], &[]);
    let mut stream = TcpStream::connect(world.node.authority()).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let upgrade = format!(
        "GET /v1/ws?ticket={} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        world.ticket("ada"),
        world.node.authority()
    );
    let smuggled = format!("{upgrade}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(smuggled.as_bytes()).expect("it is sent");
    world.stock("clog", 1);
    world.buy("ada", "clog");
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while !text(&answer).contains("placed") {
        let count = stream.read(&mut chunk).expect("frames in time");
        assert_ne!(count, 0, "{}", text(&answer));
        answer.extend_from_slice(&chunk[..count]);
    }
    assert_eq!(text(&answer).matches("HTTP/1.1").count(), 1, "{}", text(&answer));
    assert!(text(&answer).starts_with("HTTP/1.1 101 "));
}

#[test]
fn fragments_are_swapped_by_their_ids() {
    let world = World::start(&[], &[]);
    world.stock("clog", 5);
    let query = format!("ticket={}&format=hx", world.ticket("ada"));
    let mut watch = world.try_open(&query, None).expect("it opens");
    assert!(watch.text().contains("id=\"claw-cursor\""));
    let order = world.buy("ada", "clog");
    let html = watch.text();
    let wanted = format!("<span id=\"order-{order}\" hx-swap-oob=\"true\" data-state=\"placed\"");
    assert!(html.contains(&wanted), "{html}");
}

#[test]
fn what_does_not_open_one_is_refused_by_name() {
    let world = World::start(&[("http.cors_origins", "[\"https://shop.example\"]")], &[]);
    let name = |refused: (u16, Value)| {
        let kind = refused.1["type"].as_str().unwrap_or_default().to_owned();
        (refused.0, kind.rsplit(':').next().unwrap_or_default().to_owned())
    };
    let wanted = |status: u16, kind: &str| (status, kind.to_owned());
    let refused = |query: &str, origin: Option<&str>| {
        name(world.try_open(query, origin).err().expect("it does not open"))
    };
    assert_eq!(refused("", None), wanted(401, "bad-ticket"));
    assert_eq!(refused("ticket=none", None), wanted(401, "bad-ticket"));
    let used = format!("ticket={}", world.ticket("ada"));
    drop(world.try_open(&used, None).expect("once"));
    assert_eq!(refused(&used, None), wanted(401, "bad-ticket"));
    let fresh = |more: &str| format!("ticket={}{more}", world.ticket("ada"));
    assert_eq!(refused(&fresh(""), Some("https://evil.example")), wanted(403, "forbidden"));
    assert!(world.try_open(&fresh(""), Some("https://shop.example")).is_ok());
    assert_eq!(refused(&fresh("&after=1.2.3"), None), wanted(400, "malformed"));
    assert_eq!(refused(&fresh("&stock=no%20sku"), None), wanted(400, "malformed"));
    assert_eq!(refused(&fresh("&format=xml"), None), wanted(400, "malformed"));
    let mut plain = Client::new(world.node.url(), None).expect("an address");
    let answer = plain.request("GET", &format!("/v1/ws?{}", fresh("")), b"").expect("an answer");
    assert_eq!(answer.status, 400, "no upgrade");
    let mut watches: Vec<Watch> =
        (0..16).map_while(|_| world.try_open(&fresh(""), None).ok()).collect();
    assert!(watches.len() >= 14, "{}", watches.len());
    let full = (0..4).find_map(|_| match world.try_open(&fresh(""), None) {
        Ok(watch) => {
            watches.push(watch);
            None
        }
        Err(refused) => Some(name(refused)),
    });
    assert_eq!(full, Some(wanted(429, "rate-limited")));
}
