// Sends the generated calls: one key for all attempts of a request, back-off as the store asks,
// and reads that are at least as new as what this client has seen.

import type { Authenticator } from "./auth.js";
import { Operations, type Answer, type Call } from "./generated.js";
import { ProblemError, type ProblemDocument } from "./problem.js";

/** How a client is made. */
export interface ClientOptions {
  /** Where the node is: `http://127.0.0.1:7070`. */
  url: string;
  /** Who asks. */
  auth?: Authenticator;
  /** Further attempts after the first where the answer is lost, 429 or 503. */
  retriesMax?: number;
  /** Longest wait between two attempts, milliseconds. */
  retryDelayMsMax?: number;
  /** Sends what was seen as `Claw-After`, so that reads show one's own writes on any node. */
  causal?: boolean;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

const RETRIES_MAX = 5;
const RETRY_DELAY_MS = 50;
const RETRY_DELAY_MS_MAX = 5_000;
const UNSAFE = ["POST", "PUT", "DELETE"];

/** A client of one store. */
export class Client extends Operations {
  /** Positions seen so far, as `Claw-After` takes them. */
  position = "";

  constructor(private readonly options: ClientOptions) {
    super();
  }

  protected override async send(call: Call): Promise<Answer<number, unknown>> {
    const unsafe = UNSAFE.includes(call.method);
    // Made once: an attempt whose answer was lost is the same request again.
    const key = unsafe ? (call.options.idempotencyKey ?? crypto.randomUUID()) : undefined;
    const retriesMax = this.options.retriesMax ?? RETRIES_MAX;
    for (let attempt = 0; ; attempt += 1) {
      let retryAfterS: number | undefined;
      try {
        return await this.attempt(call, key);
      } catch (error) {
        call.options.signal?.throwIfAborted();
        if (error instanceof ProblemError) {
          if (error.problem.status !== 429 && error.problem.status !== 503) throw error;
          retryAfterS = error.retryAfterS;
        } else if (!(error instanceof TypeError)) {
          // `fetch` rejects with a TypeError when the network fails; all else is our own mistake.
          throw error;
        }
        if (attempt >= retriesMax) throw error;
      }
      await pause(this.delayMs(attempt, retryAfterS), call.options.signal);
    }
  }

  private delayMs(attempt: number, retryAfterS: number | undefined): number {
    const most = this.options.retryDelayMsMax ?? RETRY_DELAY_MS_MAX;
    const backOff = Math.min(most, RETRY_DELAY_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
    return Math.max(backOff, (retryAfterS ?? 0) * 1000);
  }

  private async attempt(call: Call, key: string | undefined): Promise<Answer<number, unknown>> {
    const url = new URL(call.path, this.options.url);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const body = call.body === undefined ? undefined : encode(call.body);
    const headers: Record<string, string> = { ...call.headers };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const after = call.options.clawAfter ?? (this.options.causal ? this.position : "");
    if (after !== "" && call.signed) headers["Claw-After"] = after;
    if (call.signed && this.options.auth !== undefined) {
      const signable = { method: call.method, url, body, idempotencyKey: key };
      Object.assign(headers, await this.options.auth.headers(signable));
    }
    const request: RequestInit = { method: call.method, headers };
    if (body !== undefined) request.body = body;
    if (call.options.signal !== undefined) request.signal = call.options.signal;
    return this.read(await (this.options.fetch ?? fetch)(url, request));
  }

  private async read(response: Response): Promise<Answer<number, unknown>> {
    const position = response.headers.get("Claw-Position") ?? undefined;
    if (position !== undefined) this.position = mergePositions(this.position, position);
    const type = response.headers.get("Content-Type") ?? "";
    if (type.startsWith("application/problem+json")) {
      const seconds = response.headers.get("Retry-After");
      const problem = (await response.json()) as ProblemDocument;
      throw new ProblemError(problem, seconds === null ? undefined : Number(seconds));
    }
    const json = type.startsWith("application/json");
    const body: unknown = json ? await response.json() : await response.text();
    const answer: Answer<number, unknown> = { status: response.status, body };
    if (position !== undefined) answer.position = position;
    const etag = response.headers.get("ETag");
    if (etag !== null) answer.etag = etag;
    const location = response.headers.get("Location");
    if (location !== null) answer.location = location;
    return answer;
  }
}

function encode(body: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(body));
}

/** The newest position of each shard in two lists. */
export function mergePositions(one: string, other: string): string {
  const newest = new Map<string, bigint>();
  for (const part of [...one.split(","), ...other.split(",")]) {
    const [shard, sequence] = part.split(":");
    if (shard === undefined || sequence === undefined) continue;
    const position = BigInt(sequence);
    if (position > (newest.get(shard) ?? -1n)) newest.set(shard, position);
  }
  return [...newest].map(([shard, sequence]) => `${shard}:${sequence}`).join(",");
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
