// The built SDK against a real node. Started by tests/tests/described/sdk.rs, which says where both are:
// CLAW_SDK (the built index.js), CLAW_URL, CLAW_STORE (the store's folder), CLAW_TOKEN (of session ada).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const { CLAW_SDK, CLAW_STORE, CLAW_TOKEN, CLAW_URL: url } = process.env;
const { Client, bearer, ed25519, hmacSha256, isProblem, mergePositions, ProblemError, Watcher } =
  await import(pathToFileURL(CLAW_SDK));

const read = (name) => readFile(join(CLAW_STORE, "keys", name), "utf8");
const operator = new Client({
  url,
  auth: ed25519("operator", await read("operator.pem")),
  causal: true,
});
const shop = new Client({
  url,
  auth: hmacSha256("storefront-hmac", await read("storefront-hmac.secret")),
  causal: true,
});
const price = { amount: 4900, currency: "EUR" };

async function stock(sku, units) {
  await operator.productPut(sku, { name: sku, price });
  await operator.stockMove(sku, { delta: units, reason: "delivery" });
}

/** A `fetch` that answers with `answers` first; `null` stands for a broken network. */
function flaky(answers, seen = []) {
  return {
    seen,
    async fetch(to, request) {
      seen.push(request.headers);
      if (answers.length === 0) return fetch(to, request);
      const answer = answers.shift();
      if (answer === null) throw new TypeError("fetch failed");
      if (answer === "lost") {
        await fetch(to, request);
        throw new TypeError("the answer was lost");
      }
      return answer;
    },
  };
}

const problem = (status, retryAfter) =>
  new Response(JSON.stringify({ type: "urn:openclaw:problem:overloaded", title: "t", status }), {
    status,
    headers: { "Content-Type": "application/problem+json", "Retry-After": String(retryAfter) },
  });

test("a product is put, stocked, held and bought", async () => {
  const made = await operator.productPut("clog", { name: "Clog", price });
  assert.equal(made.status, 201);
  assert.equal(made.body.available, 0);
  assert.match(made.position, /^\d+:\d+$/);
  const again = await operator.productPut("clog", { name: "Clog 2", price }, { ifMatch: made.etag });
  assert.equal(again.status, 200);
  await operator.stockMove("clog", { delta: 5, reason: "delivery" });

  const hold = await shop.holdCreate({ session: "ada", items: [{ sku: "clog", quantity: 2 }] });
  assert.equal(hold.status, 201);
  assert.equal(hold.body.state, "active");
  assert.equal(hold.location, `/v1/holds/${hold.body.hold_id}`);
  const order = await shop.checkoutCreate(
    { session: "ada", hold_id: hold.body.hold_id },
    { prefer: "wait=10" },
  );
  assert.equal(order.status, 200);
  assert.equal(order.body.state, "placed");
  assert.deepEqual(order.body.total, { amount: 9800, currency: "EUR" });
  const product = await shop.productRead("clog");
  assert.equal(product.body.sold, 2);
  const page = await operator.productList({ limit: 1 });
  assert.equal(page.body.products.length, 1);
});

test("problems are typed by their name", async () => {
  await stock("rare", 1);
  const basket = { session: "bob", items: [{ sku: "rare", quantity: 2 }] };
  await assert.rejects(shop.holdCreate(basket), (error) => {
    assert.ok(error instanceof ProblemError);
    assert.ok(isProblem(error, "sold-out"));
    assert.ok(!isProblem(error, "hold-sold"));
    assert.deepEqual([error.problem.requested, error.problem.available], [2, 1]);
    return true;
  });
  await assert.rejects(shop.stockMove("rare", { delta: 1, reason: "no" }), (error) =>
    isProblem(error, "forbidden"),
  );
  const nobody = new Client({ url });
  await assert.rejects(nobody.productRead("rare"), (error) => isProblem(error, "unsigned"));
});

test("a lost answer is got again and nothing is done twice", async () => {
  await stock("once", 10);
  const { fetch, seen } = flaky(["lost", problem(503, 0), null]);
  const auth = ed25519("storefront", await read("storefront.pem"));
  const client = new Client({ url, auth, fetch, retryDelayMsMax: 1 });
  const hold = await client.holdCreate({ session: "eve", items: [{ sku: "once", quantity: 3 }] });
  assert.equal(hold.status, 201);
  assert.equal(seen.length, 4);
  assert.equal(new Set(seen.map((headers) => headers["Idempotency-Key"])).size, 1);
  const product = await operator.productRead("once", { clawAfter: hold.position });
  assert.equal(product.body.held, 3);
});

test("the same key with another body is refused, with the same body answered alike", async () => {
  const idempotencyKey = randomUUID();
  const first = await shop.cartCreate({ session: "ada" }, { idempotencyKey });
  const second = await shop.cartCreate({ session: "ada" }, { idempotencyKey });
  assert.equal(first.body.cart_id, second.body.cart_id);
  await stock("mug", 1);
  const item = { idempotencyKey: randomUUID() };
  await shop.cartItemPut(first.body.cart_id, "mug", { quantity: 1 }, item);
  await assert.rejects(
    shop.cartItemPut(first.body.cart_id, "mug", { quantity: 2 }, item),
    (error) => isProblem(error, "idempotency-mismatch"),
  );
});

test("retries wait as long as the store asks, and end", async () => {
  const client = (answers, more) => {
    const { fetch, seen } = flaky(answers);
    return { seen, calls: new Client({ url, fetch, retryDelayMsMax: 1, ...more }) };
  };
  const patient = client([problem(429, 1)]);
  const started = performance.now();
  assert.equal((await patient.calls.health()).body.status, "alive");
  assert.ok(performance.now() - started >= 990);
  const given = client([problem(503, 0), problem(503, 0), problem(503, 0)], { retriesMax: 1 });
  await assert.rejects(given.calls.health(), (error) => isProblem(error, "overloaded"));
  assert.equal(given.seen.length, 2);
  const stopped = client([problem(503, 60)]);
  const controller = new AbortController();
  const call = stopped.calls.health({ signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 10);
  await assert.rejects(call, /enough/);
});

test("a shopper's token touches its own session", async () => {
  const ada = new Client({ url, auth: bearer(() => CLAW_TOKEN) });
  await stock("hat", 4);
  const hold = await ada.holdCreate({ session: "ada", items: [{ sku: "hat", quantity: 1 }] });
  assert.equal((await ada.holdRead(hold.body.hold_id)).body.state, "active");
  const other = { session: "bob", items: [{ sku: "hat", quantity: 1 }] };
  await assert.rejects(ada.holdCreate(other), (error) => isProblem(error, "forbidden"));
  await assert.rejects(ada.productList(), (error) => error.problem.status === 403);
});

const skip = typeof WebSocket === "undefined" && "this Node.js has no WebSocket";
test("a watcher is told everything once, over a break of its connection too", { skip }, async () => {
  await stock("boot", 5);
  const sockets = [];
  class Kept extends WebSocket {
    constructor(to) {
      super(to);
      sockets.push(this);
    }
  }
  const options = { session: "walker", url, stock: ["boot"], socket: Kept, delayMs: [20, 100] };
  const watcher = new Watcher(shop, options);
  const told = [];
  /** Resolves with the first notice that fits, told already or yet to come. */
  const hears = (fits) =>
    new Promise((resolve) => {
      const early = told.find(fits);
      if (early) return resolve(early);
      const stop = watcher.listen((notice) => {
        if (!fits(notice)) return;
        stop();
        resolve(notice);
      });
    });
  watcher.listen((notice) => told.push(notice));
  const buys = async () => {
    const items = [{ sku: "boot", quantity: 1 }];
    const { body } = await shop.checkoutCreate({ session: "walker", items });
    return body.order_id;
  };
  const placed = (order) => hears((said) => said.order_id === order && said.state === "placed");
  await hears((notice) => notice.available === 5);
  const first = await buys();
  await placed(first);
  await hears((notice) => notice.available === 4);
  const gone = new Promise((resolve) => sockets[0].addEventListener("close", resolve));
  sockets[0].close();
  await gone;
  const second = await buys();
  await placed(second);
  assert.equal(sockets.length, 2, "it came back by itself");
  assert.equal(watcher.last(second).state, "placed");
  await hears((notice) => notice.available === 3);
  for (const order of [first, second]) {
    const ends = told.filter((said) => said.order_id === order && said.state === "placed");
    assert.equal(ends.length, 1, "told once");
  }
  watcher.close();
});

test("positions are merged by shard", () => {
  assert.equal(mergePositions("", "0:5"), "0:5");
  assert.equal(mergePositions("0:5,1:2", "1:9,0:4"), "0:5,1:9");
  assert.equal(mergePositions("0:9007199254740993", "0:9007199254740992"), "0:9007199254740993");
});
