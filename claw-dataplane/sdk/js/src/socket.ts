// Watches a session: asks for tickets, opens the WebSocket, and comes back behind the last cursor
// after every break, so that no change is missed and none is handed on twice.

import type { Client } from "./client.js";
import type { Order } from "./generated.js";

/** What is told; see notices.md. */
export type Notice =
  | { cursor: string; type: "open" | "more" }
  | { cursor: string; type: "order"; order_id: string; state: Order["state"]; reason?: string }
  | { cursor: string; type: "hold"; hold_id: string; state: string }
  | { cursor: string; type: "cart"; cart_id: string }
  | { cursor: string; type: "stock"; sku: string; available: number };

/** How a watcher is made. */
export interface WatcherOptions {
  /** Whose notices. */
  session: string;
  /** Where the node is: `http://127.0.0.1:7070`. */
  url: string;
  /** SKUs whose stock is told. */
  stock?: string[];
  /** Where to go on, kept from an earlier watcher. */
  after?: string;
  /** In place of the global `WebSocket`. */
  socket?: new (url: string) => WebSocket;
  /** Shortest and longest wait before coming back, milliseconds. */
  delayMs?: [number, number];
}

const DELAY_MS: [number, number] = [100, 5_000];

/** One session, watched until it is closed. */
export class Watcher {
  /** Behind the last notice that was handed on. */
  cursor: string | undefined;
  private socket: WebSocket | undefined;
  private readonly listeners = new Set<(notice: Notice) => void>();
  private readonly seen = new Map<string, Notice>();
  private breaks = 0;
  private closed = false;

  constructor(
    private readonly client: Client,
    private readonly options: WatcherOptions,
  ) {
    this.cursor = options.after;
    void this.open();
  }

  /** Hands notices on; the answer stops that. */
  listen(listener: (notice: Notice) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** The last notice of an order, a hold, a cart or a SKU. */
  last(id: string): Notice | undefined {
    return this.seen.get(id);
  }

  /** Watches no more. */
  close(): void {
    this.closed = true;
    this.socket?.close();
  }

  private async open(): Promise<void> {
    try {
      const { body } = await this.client.ticketCreate({ session: this.options.session });
      if (this.closed) return;
      const query = new URLSearchParams({ ticket: body.ticket });
      if (this.cursor !== undefined) query.set("after", this.cursor);
      if (this.options.stock?.length) query.set("stock", this.options.stock.join(","));
      const url = `${this.options.url.replace(/^http/, "ws")}/v1/ws?${query.toString()}`;
      const socket = new (this.options.socket ?? WebSocket)(url);
      socket.onmessage = (event) => this.take(String(event.data));
      socket.onclose = () => this.comeBack();
      this.socket = socket;
    } catch {
      this.comeBack();
    }
  }

  private take(text: string): void {
    const notice = JSON.parse(text) as Notice;
    this.cursor = notice.cursor;
    this.breaks = 0;
    const id = idOf(notice);
    if (id !== undefined) this.seen.set(id, notice);
    for (const listener of this.listeners) listener(notice);
  }

  private comeBack(): void {
    if (this.closed) return;
    const [least, most] = this.options.delayMs ?? DELAY_MS;
    const delay = Math.min(most, least * 2 ** this.breaks);
    this.breaks += 1;
    // Half of it drawn, so that shoppers who were cut off together do not come back together.
    setTimeout(() => void this.open(), delay / 2 + (Math.random() * delay) / 2);
  }
}

function idOf(notice: Notice): string | undefined {
  switch (notice.type) {
    case "order":
      return notice.order_id;
    case "hold":
      return notice.hold_id;
    case "cart":
      return notice.cart_id;
    case "stock":
      return notice.sku;
    default:
      return undefined;
  }
}
