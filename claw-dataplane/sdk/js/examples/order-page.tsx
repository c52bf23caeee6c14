// An order's page: a React Server Component reads the order with the storefront's key, and a client
// component beside it follows it live with a shopper's token. Two files in a real project, since the
// second begins with "use client".

// --- app/orders/[id]/page.tsx: on the server, where the key is ---

import { Client, hmacSha256 } from "@openclaw/sdk";
import { LiveOrder } from "./live-order";

const store = new Client({
  url: process.env.CLAW_URL!,
  auth: hmacSha256("storefront-hmac", process.env.CLAW_SECRET!),
});

export default async function OrderPage({ params }: { params: { id: string } }) {
  const { body: order } = await store.orderRead(params.id);
  return (
    <main>
      <h1>{(order.total.amount / 100).toFixed(2)} {order.total.currency}</h1>
      <LiveOrder id={order.order_id} state={order.state} />
    </main>
  );
}

// --- app/orders/[id]/live-order.tsx: "use client" ---

import * as React from "react";
import { Client, Watcher, bearer, makeUseNotice } from "@openclaw/sdk";

const useNotice = makeUseNotice(React);

export function LiveOrder({ id, state }: { id: string; state: string }) {
  const watcher = React.useMemo(() => {
    const { url, session, token } = window.claw;
    return new Watcher(new Client({ url, auth: bearer(token) }), { url, session });
  }, []);
  React.useEffect(() => () => watcher.close(), [watcher]);
  const notice = useNotice(watcher, id);
  const now = notice?.type === "order" ? notice : { state, reason: undefined };
  return <p role="status">{now.reason === "payment-declined" ? "The payment was declined." : now.state}</p>;
}
