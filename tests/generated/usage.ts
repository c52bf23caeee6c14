// What the generated interfaces let one write, and what they refuse: each line below an
// expectation must be an error, or the compiler says that the expectation is not met.

import type { HoldGrantedRequest, MadeUp, OrderStartedRequest, OwnEvents } from "./everything";
import { OWN_EVENT_VERSIONS } from "./everything";
import type { HoldGrantedRequest as RetailHold, ReturnReceived } from "./retail";

export const least: MadeUp = { sku: "A", flag: true };
export const more: MadeUp = {
  sku: "A",
  flag: false,
  word: "one size",
  price: { amount: 5, currency: "EUR" },
  prices: [{ amount: 1, currency: "EUR" }],
  sizes: { a: 1 },
  free: { any: [null, 1, "x"] },
  boxes: [{ lid: true, tag: "a" }],
  open: { known: 1, other: 2 },
  "with-dash": [[true], []],
};
export const hold: HoldGrantedRequest = {
  session: "ada",
  items: [{ sku: "A", quantity: 2 }],
  channel: "shop",
};
export const order: OrderStartedRequest = { session: "ada", payment: { token: "t" } };
export const version: 1 = OWN_EVENT_VERSIONS["made-up"];
export const sent: OwnEvents["made-up"] = least;
export const bundle: RetailHold = {
  session: "ada",
  items: [{ sku: "TEE", quantity: 1 }],
  bundle: "SET",
  bundle_quantity: 1,
};
export const back: ReturnReceived = {
  order_id: "019a0000-0000-7000-8000-000000000001",
  sku: "TEE",
  quantity: 1,
  disposition: "restock",
};

// @ts-expect-error a required member is missing
export const short: MadeUp = { sku: "A" };
// @ts-expect-error no such value
export const word: MadeUp = { sku: "A", flag: true, word: "39" };
// @ts-expect-error no such member
export const unknown: MadeUp = { sku: "A", flag: true, skus: 1 };
// @ts-expect-error an entry's member is missing
export const line: HoldGrantedRequest = { session: "ada", items: [{ sku: "A" }] };
