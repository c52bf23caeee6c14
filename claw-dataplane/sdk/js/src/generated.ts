// Made of /openapi.json by generate.mjs: change that, not this.

/** The signature does not hold */
export type BadSignatureProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The signature does not hold";
  type: "urn:openclaw:problem:bad-signature";
};

/** The ticket opens nothing */
export type BadTicketProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The ticket opens nothing";
  type: "urn:openclaw:problem:bad-ticket";
};

/** The token does not hold */
export type BadTokenProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The token does not hold";
  type: "urn:openclaw:problem:bad-token";
};

/** The node has not seen that position yet */
export type BehindProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 503;
  title: "The node has not seen that position yet";
  type: "urn:openclaw:problem:behind";
};

/** The body is too large */
export type BodyTooLargeProblem = {
  bytes_max: number;
  /** What happened, and what to do. */
  detail: string;
  status: 413;
  title: "The body is too large";
  type: "urn:openclaw:problem:body-too-large";
};

/** The node's memory for this is full */
export type CapacityFullProblem = {
  /** What happened, and what to do. */
  detail: string;
  slab?: string;
  status: 503;
  title: "The node's memory for this is full";
  type: "urn:openclaw:problem:capacity-full";
};

export type Cart = {
  cart_id: string;
  items: Array<Line>;
  /** `null` while the cart is empty. */
  subtotal: Money | null;
};

export type CartCreateBody = {
  session: string;
};

export type CartCreated = {
  cart_id: string;
};

export type CartItemPutBody = {
  quantity: number;
};

export type CheckoutCreateBody = {
  cart_id?: string;
  coupon?: string;
  hold_id?: string;
  items?: Array<{
    quantity: number;
    sku: string;
  }>;
  region?: string;
  session: string;
  /** Any JSON. */
  ship_to?: Record<string, unknown>;
} & ({ hold_id: string; cart_id?: never; items?: never } | { cart_id: string; hold_id?: never; items?: never } | { items: Array<{
    quantity: number;
    sku: string;
  }>; hold_id?: never; cart_id?: never });

export type Coupon = {
  code: string;
  currency?: string;
  ends_at?: string;
  kind: "percent" | "amount";
  starts_at?: string;
  subtotal_min?: number;
  uses: number;
  uses_max: number;
  value: number;
};

export type CouponPutBody = {
  currency?: string;
  ends_at?: string;
  kind: "percent";
  starts_at?: string;
  subtotal_min?: number;
  uses_max: number;
  /** Hundredths of a percent. */
  value: number;
} | {
  currency: string;
  ends_at?: string;
  kind: "amount";
  starts_at?: string;
  subtotal_min?: number;
  uses_max: number;
  /** Minor units of `currency`. */
  value: number;
};

/** The coupon has already been used more often */
export type CouponUsesProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "The coupon has already been used more often";
  type: "urn:openclaw:problem:coupon-uses";
  uses: number;
};

/** Too many commands are unanswered on this connection */
export type CreditsExceededProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 400;
  title: "Too many commands are unanswered on this connection";
  type: "urn:openclaw:problem:credits-exceeded";
};

/** One order has one currency */
export type CurrencyMixedProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "One order has one currency";
  type: "urn:openclaw:problem:currency-mixed";
};

/** There is nothing in it */
export type EmptyProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "There is nothing in it";
  type: "urn:openclaw:problem:empty";
};

export type EventRecorded = {
  event_id: string;
  type: string;
  version: number;
};

/** The expectation cannot be met */
export type ExpectationFailedProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 417;
  title: "The expectation cannot be met";
  type: "urn:openclaw:problem:expectation-failed";
};

/** The caller may not do this */
export type ForbiddenProblem = {
  /** What happened, and what to do. */
  detail: string;
  roles?: string;
  status: 403;
  title: "The caller may not do this";
  type: "urn:openclaw:problem:forbidden";
};

/** The frame is out of sequence */
export type FrameSequenceProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 400;
  title: "The frame is out of sequence";
  type: "urn:openclaw:problem:frame-sequence";
};

/** The request's head is too large */
export type HeadTooLargeProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 431;
  title: "The request's head is too large";
  type: "urn:openclaw:problem:head-too-large";
};

export type Hold = {
  expires_at: string;
  hold_id: string;
  items: Array<Line>;
  state: "active" | "released" | "expired" | "sold" | "waiting";
};

export type HoldCreateBody = {
  items: Array<{
    quantity: number;
    sku: string;
  }>;
  session: string;
  ttl_ms?: number;
};

export type HoldExtendBody = {
  ttl_ms: number;
};

/** The hold is not active */
export type HoldNotActiveProblem = {
  /** What happened, and what to do. */
  detail: string;
  state: "active" | "released" | "expired" | "sold" | "waiting";
  status: 409;
  title: "The hold is not active";
  type: "urn:openclaw:problem:hold-not-active";
};

/** The hold has been sold */
export type HoldSoldProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "The hold has been sold";
  type: "urn:openclaw:problem:hold-sold";
};

/** The request needs an Idempotency-Key */
export type IdempotencyKeyMissingProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 400;
  title: "The request needs an Idempotency-Key";
  type: "urn:openclaw:problem:idempotency-key-missing";
};

/** The Idempotency-Key was used for another request */
export type IdempotencyMismatchProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 422;
  title: "The Idempotency-Key was used for another request";
  type: "urn:openclaw:problem:idempotency-mismatch";
};

/** The token's scope does not cover this */
export type InsufficientScopeProblem = {
  /** What happened, and what to do. */
  detail: string;
  scope: string;
  status: 403;
  title: "The token's scope does not cover this";
  type: "urn:openclaw:problem:insufficient-scope";
};

/** The node made a mistake */
export type InternalProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 500;
  title: "The node made a mistake";
  type: "urn:openclaw:problem:internal";
};

export type Line = {
  quantity: number;
  sku: string;
  unit_price: Money;
};

/** Too many lines */
export type LinesAboveMaxProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "Too many lines";
  type: "urn:openclaw:problem:lines-above-max";
};

/** The request cannot be read */
export type MalformedProblem = {
  column?: number;
  /** What happened, and what to do. */
  detail: string;
  line?: number;
  status: 400;
  title: "The request cannot be read";
  type: "urn:openclaw:problem:malformed";
};

/** The method is not allowed here */
export type MethodNotAllowedProblem = {
  /** What happened, and what to do. */
  detail: string;
  path: string;
  status: 405;
  title: "The method is not allowed here";
  type: "urn:openclaw:problem:method-not-allowed";
};

export type Money = {
  /** Minor units: cents. */
  amount: number;
  /** ISO 4217. */
  currency: string;
};

export type NodeState = {
  status: "alive" | "ready";
};

/** There is no such thing */
export type NotFoundProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 404;
  suggestion?: string;
  title: "There is no such thing";
  type: "urn:openclaw:problem:not-found";
};

/** The node is not ready */
export type NotReadyProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 503;
  title: "The node is not ready";
  type: "urn:openclaw:problem:not-ready";
};

export type Order = {
  /** While it requires action: what the browser shows the gateway. */
  client_secret?: string;
  discount: Money;
  history: Array<{
    at: string;
    state: "reserving" | "pricing" | "scoring" | "authorizing" | "requires_action" | "confirming" | "capturing" | "placed" | "shipped" | "cancelled" | "refunded";
  }>;
  items: Array<Line>;
  order_id: string;
  reason?: "sold-out" | "payment-declined" | "payment-unavailable" | "fraud-blocked" | "coupon-invalid" | "expired" | "shopper-cancelled";
  state: "reserving" | "pricing" | "scoring" | "authorizing" | "requires_action" | "confirming" | "capturing" | "placed" | "shipped" | "cancelled" | "refunded";
  subtotal: Money;
  tax: Money;
  total: Money;
};

export type OrderStarted = {
  order_id: string;
  state: "reserving" | "pricing" | "scoring" | "authorizing" | "requires_action" | "confirming" | "capturing" | "placed" | "shipped" | "cancelled" | "refunded";
};

/** The order's state does not allow this */
export type OrderStateProblem = {
  /** What happened, and what to do. */
  detail: string;
  state: "reserving" | "pricing" | "scoring" | "authorizing" | "requires_action" | "confirming" | "capturing" | "placed" | "shipped" | "cancelled" | "refunded";
  status: 409;
  title: "The order's state does not allow this";
  type: "urn:openclaw:problem:order-state";
};

/** The node is overloaded */
export type OverloadedProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 503;
  title: "The node is overloaded";
  type: "urn:openclaw:problem:overloaded";
};

/** The order has to be paid for */
export type PaymentRequiredProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 422;
  title: "The order has to be paid for";
  total: number;
  type: "urn:openclaw:problem:payment-required";
};

export type PriceChangeBody = {
  price: {
    amount: number;
    currency: string;
  };
};

export type Problem = {
  detail?: string;
  status: number;
  title: string;
  type: string;
};

/** on_hand = received - removed - sold, available = on_hand - held. */
export type Product = {
  attributes?: Record<string, unknown>;
  available: number;
  held: number;
  name: string;
  on_hand: number;
  price: Money;
  received: number;
  removed: number;
  sku: string;
  sold: number;
  version: number;
};

export type ProductPage = {
  /** Send it as `after`. */
  next?: string;
  products: Array<Product>;
};

export type ProductPutBody = {
  attributes?: {
    [member: string]: unknown;
  };
  name: string;
  price: {
    amount: number;
    currency: string;
  };
};

/** Too many requests */
export type RateLimitedProblem = {
  /** What happened, and what to do. */
  detail: string;
  limit: string;
  status: 429;
  title: "Too many requests";
  type: "urn:openclaw:problem:rate-limited";
};

/** What `claw verify` checks, offline, with the node's key. */
export type Receipt = {
  /** A signed note: origin, tree size, root, previous root, time. */
  checkpoint: string;
  consistency: {
    hint: string;
    size: number;
  };
  format: "openclaw-receipt/1";
  node_key: string;
  order_id: string;
  records: Array<{
    accepted_at: string;
    decided_at: string;
    /** The kind of event, such as `hold-granted`. */
    event: string;
    inclusion: Array<string>;
    /** The place of the record and its bytes, as they were hashed. */
    leaf: string;
    sequence: number;
  }>;
  shard: number;
  store: {
    id: string;
    name: string;
  };
};

/** The receipt is not there yet */
export type ReceiptNotYetProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 404;
  title: "The receipt is not there yet";
  type: "urn:openclaw:problem:receipt-not-yet";
};

export type Received = {
  received: boolean;
};

/** The request did not arrive in time */
export type RequestTimeoutProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 408;
  title: "The request did not arrive in time";
  type: "urn:openclaw:problem:request-timeout";
};

/** The signing key is revoked */
export type RevokedKeyProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The signing key is revoked";
  type: "urn:openclaw:problem:revoked-key";
};

export type Saga = {
  attempts: number;
  /** The last reason that the gateway or the vault gave. */
  code?: string;
  course: "forward" | "unwinding" | "done" | "undone";
  created_at: string;
  deadline_at: string;
  due_at?: string;
  /** The gateway's name for the payment. */
  intent?: string;
  order_id: string;
  parked: boolean;
  reason?: "sold-out" | "payment-declined" | "payment-unavailable" | "fraud-blocked" | "coupon-invalid" | "expired" | "shopper-cancelled";
  saga: "checkout" | "cancellation" | "refund";
  shards_owing: number;
  state: "reserving" | "pricing" | "scoring" | "authorizing" | "requires_action" | "confirming" | "capturing" | "placed" | "shipped" | "cancelled" | "refunded";
  /** What is to be done, or undone, next. */
  step: string;
  steps: Array<{
    is: string;
    step: string;
  }>;
  total: Money;
};

export type SagaPage = {
  /** Send it as `after`. */
  next?: string;
  sagas: Array<Saga>;
};

/** The saga's state does not allow this */
export type SagaStateProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 409;
  title: "The saga's state does not allow this";
  type: "urn:openclaw:problem:saga-state";
};

/** The request does not fit the State-Schema */
export type SchemaProblem = {
  /** What happened, and what to do. */
  detail: string;
  path: string;
  status: 422;
  suggestion?: string;
  title: "The request does not fit the State-Schema";
  type: "urn:openclaw:problem:schema";
};

export type ShardState = {
  entries: number;
  sequence: number;
  shard: number;
  /** BLAKE3 over the state's canonical bytes. */
  state_hash?: string;
};

/** The signature is not of this time */
export type SignatureExpiredProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The signature is not of this time";
  type: "urn:openclaw:problem:signature-expired";
};

/** Not enough stock */
export type SoldOutProblem = {
  available: number;
  /** What happened, and what to do. */
  detail: string;
  requested: number;
  sku: string;
  status: 409;
  title: "Not enough stock";
  type: "urn:openclaw:problem:sold-out";
};

/** The first request with this key is still being decided */
export type StillDecidingProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 503;
  title: "The first request with this key is still being decided";
  type: "urn:openclaw:problem:still-deciding";
};

export type StockMoveBody = {
  delta: number;
  reason: string;
};

/** Stock cannot fall below what is held and sold */
export type StockNegativeProblem = {
  available: number;
  /** What happened, and what to do. */
  detail: string;
  sku: string;
  status: 409;
  title: "Stock cannot fall below what is held and sold";
  type: "urn:openclaw:problem:stock-negative";
};

export type TicketCreateBody = {
  session: string;
};

export type TicketCreated = {
  ticket: string;
};

/** The token is for another store */
export type TokenAudienceProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The token is for another store";
  type: "urn:openclaw:problem:token-audience";
};

/** The token is not of this time */
export type TokenExpiredProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The token is not of this time";
  type: "urn:openclaw:problem:token-expired";
};

/** The token's key may not issue tokens */
export type TokenIssuerProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The token's key may not issue tokens";
  type: "urn:openclaw:problem:token-issuer";
};

/** The token lives longer than tokens may */
export type TokenLifetimeProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The token lives longer than tokens may";
  type: "urn:openclaw:problem:token-lifetime";
};

/** The request proves twice who asks */
export type TwoCredentialsProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 400;
  title: "The request proves twice who asks";
  type: "urn:openclaw:problem:two-credentials";
};

/** The signing key is not known */
export type UnknownKeyProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The signing key is not known";
  type: "urn:openclaw:problem:unknown-key";
};

/** There is no such product */
export type UnknownSkuProblem = {
  /** What happened, and what to do. */
  detail: string;
  sku: string;
  status: 404;
  title: "There is no such product";
  type: "urn:openclaw:problem:unknown-sku";
};

/** The request carries no signature */
export type UnsignedProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 401;
  title: "The request carries no signature";
  type: "urn:openclaw:problem:unsigned";
};

/** The product has another version */
export type VersionMismatchProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 412;
  title: "The product has another version";
  type: "urn:openclaw:problem:version-mismatch";
  version: number;
};

/** This version of the wire protocol is not spoken */
export type VersionUnknownProblem = {
  /** What happened, and what to do. */
  detail: string;
  status: 400;
  title: "This version of the wire protocol is not spoken";
  type: "urn:openclaw:problem:version-unknown";
};

export type WaitlistJoinBody = {
  items: Array<{
    quantity: number;
    sku: string;
  }>;
  session: string;
  ttl_ms?: number;
};

/** Every problem by the last part of its `type`. */
export interface Problems {
  "bad-signature": BadSignatureProblem;
  "bad-ticket": BadTicketProblem;
  "bad-token": BadTokenProblem;
  "behind": BehindProblem;
  "body-too-large": BodyTooLargeProblem;
  "capacity-full": CapacityFullProblem;
  "coupon-uses": CouponUsesProblem;
  "credits-exceeded": CreditsExceededProblem;
  "currency-mixed": CurrencyMixedProblem;
  "empty": EmptyProblem;
  "expectation-failed": ExpectationFailedProblem;
  "forbidden": ForbiddenProblem;
  "frame-sequence": FrameSequenceProblem;
  "head-too-large": HeadTooLargeProblem;
  "hold-not-active": HoldNotActiveProblem;
  "hold-sold": HoldSoldProblem;
  "idempotency-key-missing": IdempotencyKeyMissingProblem;
  "idempotency-mismatch": IdempotencyMismatchProblem;
  "insufficient-scope": InsufficientScopeProblem;
  "internal": InternalProblem;
  "lines-above-max": LinesAboveMaxProblem;
  "malformed": MalformedProblem;
  "method-not-allowed": MethodNotAllowedProblem;
  "not-found": NotFoundProblem;
  "not-ready": NotReadyProblem;
  "order-state": OrderStateProblem;
  "overloaded": OverloadedProblem;
  "payment-required": PaymentRequiredProblem;
  "rate-limited": RateLimitedProblem;
  "receipt-not-yet": ReceiptNotYetProblem;
  "request-timeout": RequestTimeoutProblem;
  "revoked-key": RevokedKeyProblem;
  "saga-state": SagaStateProblem;
  "schema": SchemaProblem;
  "signature-expired": SignatureExpiredProblem;
  "sold-out": SoldOutProblem;
  "still-deciding": StillDecidingProblem;
  "stock-negative": StockNegativeProblem;
  "token-audience": TokenAudienceProblem;
  "token-expired": TokenExpiredProblem;
  "token-issuer": TokenIssuerProblem;
  "token-lifetime": TokenLifetimeProblem;
  "two-credentials": TwoCredentialsProblem;
  "unknown-key": UnknownKeyProblem;
  "unknown-sku": UnknownSkuProblem;
  "unsigned": UnsignedProblem;
  "version-mismatch": VersionMismatchProblem;
  "version-unknown": VersionUnknownProblem;
}

/** What each call may be given beside what it is about. */
export interface Options {
  /** A UUID; a fresh one when it is not given. Give it to send the same request again. */
  idempotencyKey?: string;
  /** Positions that the answer must have seen. */
  clawAfter?: string;
  /** Ends the call, its waits included. */
  signal?: AbortSignal;
}

/** An answer that is no problem. */
export interface Answer<S extends number, B> {
  status: S;
  body: B;
  /** Its places in the log. */
  position?: string;
  /** The version, for `ifMatch`. */
  etag?: string;
  /** Where what was made is. */
  location?: string;
}

/** A request as a client sends it. */
export interface Call {
  method: string;
  path: string;
  /** Whether it must say who asks. */
  signed: boolean;
  options: Options;
  query?: Record<string, string | number | boolean | undefined>;
  headers?: Record<string, string>;
  body?: unknown;
}

/** One method for each operation; a client says how they are sent. */
export abstract class Operations {
  protected abstract send(call: Call): Promise<Answer<number, unknown>>;

  /** This interface as a page to read. */
  async docs(options: Options = {}): Promise<Answer<200, string>> {
    const call: Call = { method: "GET", path: `/docs`, signed: false, options };
    return (await this.send(call)) as Answer<200, string>;
  }

  /** Counters as OpenMetrics text. */
  async metrics(options: Options = {}): Promise<Answer<200, string>> {
    const call: Call = { method: "GET", path: `/metrics`, signed: false, options };
    return (await this.send(call)) as Answer<200, string>;
  }

  /** This interface as OpenAPI 3.1. */
  async openApi(options: Options = {}): Promise<Answer<200, Record<string, unknown>>> {
    const call: Call = { method: "GET", path: `/openapi.json`, signed: false, options };
    return (await this.send(call)) as Answer<200, Record<string, unknown>>;
  }

  /** Make an empty cart. */
  async cartCreate(body: CartCreateBody, options: Options = {}): Promise<Answer<201, CartCreated>> {
    const call: Call = { method: "POST", path: `/v1/carts`, signed: true, options, body };
    return (await this.send(call)) as Answer<201, CartCreated>;
  }

  /** Read a cart. */
  async cartRead(cart: string, options: Options = {}): Promise<Answer<200, Cart>> {
    const call: Call = { method: "GET", path: `/v1/carts/${encodeURIComponent(cart)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Cart>;
  }

  /** Set a line of a cart; 0 removes it. */
  async cartItemPut(cart: string, sku: string, body: CartItemPutBody, options: Options = {}): Promise<Answer<200, Cart>> {
    const call: Call = { method: "PUT", path: `/v1/carts/${encodeURIComponent(cart)}/items/${encodeURIComponent(sku)}`, signed: true, options, body };
    return (await this.send(call)) as Answer<200, Cart>;
  }

  /** Buy what a hold, a cart or a list of lines says. */
  async checkoutCreate(body: CheckoutCreateBody, options: Options & { prefer?: string } = {}): Promise<Answer<200, Order> | Answer<202, OrderStarted>> {
    const call: Call = { method: "POST", path: `/v1/checkouts`, signed: true, options, body };
    if (options.prefer !== undefined) call.headers = { "Prefer": options.prefer };
    return (await this.send(call)) as Answer<200, Order> | Answer<202, OrderStarted>;
  }

  /** Read a coupon and its uses. */
  async couponRead(code: string, options: Options = {}): Promise<Answer<200, Coupon>> {
    const call: Call = { method: "GET", path: `/v1/coupons/${encodeURIComponent(code)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Coupon>;
  }

  /** Create or replace a coupon. */
  async couponPut(code: string, body: CouponPutBody, options: Options = {}): Promise<Answer<200, Coupon> | Answer<201, Coupon>> {
    const call: Call = { method: "PUT", path: `/v1/coupons/${encodeURIComponent(code)}`, signed: true, options, body };
    return (await this.send(call)) as Answer<200, Coupon> | Answer<201, Coupon>;
  }

  /** Record an event of a type that the store declared; its declaration says whose keys may. */
  async eventRecord(type: string, body: Record<string, unknown>, options: Options = {}): Promise<Answer<201, EventRecorded>> {
    const call: Call = { method: "POST", path: `/v1/events/${encodeURIComponent(type)}`, signed: true, options, body };
    return (await this.send(call)) as Answer<201, EventRecorded>;
  }

  /** Whether the process lives. */
  async health(options: Options = {}): Promise<Answer<200, NodeState>> {
    const call: Call = { method: "GET", path: `/v1/health`, signed: false, options };
    return (await this.send(call)) as Answer<200, NodeState>;
  }

  /** Reserve stock, all lines or none. */
  async holdCreate(body: HoldCreateBody, options: Options = {}): Promise<Answer<201, Hold>> {
    const call: Call = { method: "POST", path: `/v1/holds`, signed: true, options, body };
    return (await this.send(call)) as Answer<201, Hold>;
  }

  /** Read a hold. */
  async holdRead(id: string, options: Options = {}): Promise<Answer<200, Hold>> {
    const call: Call = { method: "GET", path: `/v1/holds/${encodeURIComponent(id)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Hold>;
  }

  /** Give a hold's stock back. */
  async holdRelease(id: string, options: Options = {}): Promise<Answer<200, Hold>> {
    const call: Call = { method: "DELETE", path: `/v1/holds/${encodeURIComponent(id)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Hold>;
  }

  /** Let a hold live longer. */
  async holdExtend(id: string, body: HoldExtendBody, options: Options = {}): Promise<Answer<200, Hold>> {
    const call: Call = { method: "POST", path: `/v1/holds/${encodeURIComponent(id)}/extend`, signed: true, options, body };
    return (await this.send(call)) as Answer<200, Hold>;
  }

  /** Read an order. */
  async orderRead(id: string, options: Options = {}): Promise<Answer<200, Order>> {
    const call: Call = { method: "GET", path: `/v1/orders/${encodeURIComponent(id)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Order>;
  }

  /** Cancel an order; its stock comes back. */
  async orderCancel(id: string, options: Options = {}): Promise<Answer<200, Order>> {
    const call: Call = { method: "POST", path: `/v1/orders/${encodeURIComponent(id)}/cancel`, signed: true, options };
    return (await this.send(call)) as Answer<200, Order>;
  }

  /** Read what proves an order, for `claw verify`. */
  async orderReceipt(id: string, options: Options = {}): Promise<Answer<200, Receipt>> {
    const call: Call = { method: "GET", path: `/v1/orders/${encodeURIComponent(id)}/receipt`, signed: true, options };
    return (await this.send(call)) as Answer<200, Receipt>;
  }

  /** Pay an order back. */
  async orderRefund(id: string, options: Options = {}): Promise<Answer<200, Order>> {
    const call: Call = { method: "POST", path: `/v1/orders/${encodeURIComponent(id)}/refund`, signed: true, options };
    return (await this.send(call)) as Answer<200, Order>;
  }

  /** Mark an order as shipped. */
  async orderShip(id: string, options: Options = {}): Promise<Answer<200, Order>> {
    const call: Call = { method: "POST", path: `/v1/orders/${encodeURIComponent(id)}/ship`, signed: true, options };
    return (await this.send(call)) as Answer<200, Order>;
  }

  /** Take an event of the payment gateway, signed by it. */
  async paymentWebhook(options: Options & { stripeSignature?: string } = {}): Promise<Answer<200, Received>> {
    const call: Call = { method: "POST", path: `/v1/payments/webhook/stripe`, signed: false, options };
    if (options.stripeSignature !== undefined) call.headers = { "Stripe-Signature": options.stripeSignature };
    return (await this.send(call)) as Answer<200, Received>;
  }

  /** List products in the order of their SKUs. */
  async productList(options: Options & { after?: string; limit?: number } = {}): Promise<Answer<200, ProductPage>> {
    const call: Call = { method: "GET", path: `/v1/products`, signed: true, options, query: { after: options.after, limit: options.limit } };
    return (await this.send(call)) as Answer<200, ProductPage>;
  }

  /** Read a product and its stock. */
  async productRead(sku: string, options: Options = {}): Promise<Answer<200, Product>> {
    const call: Call = { method: "GET", path: `/v1/products/${encodeURIComponent(sku)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Product>;
  }

  /** Create or replace a product. */
  async productPut(sku: string, body: ProductPutBody, options: Options & { ifMatch?: string } = {}): Promise<Answer<200, Product> | Answer<201, Product>> {
    const call: Call = { method: "PUT", path: `/v1/products/${encodeURIComponent(sku)}`, signed: true, options, body };
    if (options.ifMatch !== undefined) call.headers = { "If-Match": options.ifMatch };
    return (await this.send(call)) as Answer<200, Product> | Answer<201, Product>;
  }

  /** Change the price of holds to come. */
  async priceChange(sku: string, body: PriceChangeBody, options: Options = {}): Promise<Answer<200, Product>> {
    const call: Call = { method: "POST", path: `/v1/products/${encodeURIComponent(sku)}/price`, signed: true, options, body };
    return (await this.send(call)) as Answer<200, Product>;
  }

  /** Receive or remove stock. */
  async stockMove(sku: string, body: StockMoveBody, options: Options = {}): Promise<Answer<200, Product>> {
    const call: Call = { method: "POST", path: `/v1/products/${encodeURIComponent(sku)}/stock`, signed: true, options, body };
    return (await this.send(call)) as Answer<200, Product>;
  }

  /** Whether the node takes orders. */
  async ready(options: Options = {}): Promise<Answer<200, NodeState>> {
    const call: Call = { method: "GET", path: `/v1/ready`, signed: false, options };
    return (await this.send(call)) as Answer<200, NodeState>;
  }

  /** Read an order's saga. */
  async sagaRead(id: string, options: Options = {}): Promise<Answer<200, Saga>> {
    const call: Call = { method: "GET", path: `/v1/sagas/${encodeURIComponent(id)}`, signed: true, options };
    return (await this.send(call)) as Answer<200, Saga>;
  }

  /** Leave a saga alone until it is retried. */
  async sagaPark(id: string, options: Options = {}): Promise<Answer<200, Saga>> {
    const call: Call = { method: "POST", path: `/v1/sagas/${encodeURIComponent(id)}/park`, signed: true, options };
    return (await this.send(call)) as Answer<200, Saga>;
  }

  /** Try a parked saga again. */
  async sagaRetry(id: string, options: Options = {}): Promise<Answer<200, Saga>> {
    const call: Call = { method: "POST", path: `/v1/sagas/${encodeURIComponent(id)}/retry`, signed: true, options };
    return (await this.send(call)) as Answer<200, Saga>;
  }

  /** List a shard's sagas that have not ended. */
  async sagaList(shard: string, options: Options & { after?: string; limit?: number; parked?: boolean } = {}): Promise<Answer<200, SagaPage>> {
    const call: Call = { method: "GET", path: `/v1/shards/${encodeURIComponent(shard)}/sagas`, signed: true, options, query: { after: options.after, limit: options.limit, parked: options.parked } };
    return (await this.send(call)) as Answer<200, SagaPage>;
  }

  /** Read the hash of a shard's state, to compare with a replay of the log. */
  async shardState(shard: string, options: Options = {}): Promise<Answer<200, ShardState>> {
    const call: Call = { method: "GET", path: `/v1/shards/${encodeURIComponent(shard)}/state`, signed: true, options };
    return (await this.send(call)) as Answer<200, ShardState>;
  }

  /** Make a ticket that opens one WebSocket once, within 30 s. */
  async ticketCreate(body: TicketCreateBody, options: Options = {}): Promise<Answer<201, TicketCreated>> {
    const call: Call = { method: "POST", path: `/v1/tickets`, signed: true, options, body };
    return (await this.send(call)) as Answer<201, TicketCreated>;
  }

  /** Reserve stock now, or in line when some comes back. */
  async waitlistJoin(body: WaitlistJoinBody, options: Options = {}): Promise<Answer<201, Hold>> {
    const call: Call = { method: "POST", path: `/v1/waitlist`, signed: true, options, body };
    return (await this.send(call)) as Answer<201, Hold>;
  }

}
