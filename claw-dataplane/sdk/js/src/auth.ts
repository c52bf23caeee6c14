// Who asks: RFC 9421 signatures (ed25519, hmac-sha256) and shoppers' tokens.
//
// WebCrypto alone, which Node and browsers share. Keys are imported once and cannot be read back.

/** What a signature covers. */
export interface Signable {
  method: string;
  url: URL;
  body: Uint8Array<ArrayBuffer> | undefined;
  idempotencyKey: string | undefined;
}

/** Makes the fields that say who asks; called again for each attempt. */
export interface Authenticator {
  headers(request: Signable): Promise<Record<string, string>>;
}

type SignBytes = (base: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;

const text = new TextEncoder();

function toBase64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

function fromBase64(encoded: string): Uint8Array<ArrayBuffer> {
  const plain = atob(encoded.trim());
  const bytes = new Uint8Array(plain.length);
  for (let index = 0; index < plain.length; index += 1) bytes[index] = plain.charCodeAt(index);
  return bytes;
}

/** Sends a shopper's token; a function is asked before each request, so that it may be renewed. */
export function bearer(token: string | (() => string | Promise<string>)): Authenticator {
  return {
    async headers() {
      const value = typeof token === "string" ? token : await token();
      return { Authorization: `Bearer ${value}` };
    },
  };
}

/** Signs with the text of a `keys/NAME.pem`; `keyId` is its NAME. */
export function ed25519(keyId: string, pem: string): Authenticator {
  const der = fromBase64(pem.replace(/-----[^-]+-----/g, "").replace(/\s/g, ""));
  const key = crypto.subtle.importKey("pkcs8", der, "Ed25519", false, ["sign"]);
  return signed(keyId, "ed25519", async (base) => crypto.subtle.sign("Ed25519", await key, base));
}

/** Signs with the text of a `keys/NAME.secret`; `keyId` is its NAME. */
export function hmacSha256(keyId: string, secret: string): Authenticator {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = crypto.subtle.importKey("raw", fromBase64(secret), algorithm, false, ["sign"]);
  return signed(keyId, "hmac-sha256", async (base) => crypto.subtle.sign("HMAC", await key, base));
}

function signed(keyId: string, algorithm: string, sign: SignBytes): Authenticator {
  return {
    async headers(request) {
      const { method, url, body, idempotencyKey } = request;
      const headers: Record<string, string> = {};
      const lines: [string, string][] = [
        ["@method", method],
        ["@authority", url.host.toLowerCase()],
        ["@path", url.pathname],
      ];
      if (url.search !== "") lines.push(["@query", url.search]);
      if (body !== undefined && body.length > 0) {
        const digest = toBase64(await crypto.subtle.digest("SHA-256", body));
        headers["Content-Digest"] = `sha-256=:${digest}:`;
        lines.push(["content-digest", headers["Content-Digest"]]);
      }
      if (idempotencyKey !== undefined) lines.push(["idempotency-key", idempotencyKey]);
      const names = lines.map(([name]) => `"${name}"`).join(" ");
      const created = Math.floor(Date.now() / 1000);
      const parameters = `(${names});created=${created};keyid="${keyId}";alg="${algorithm}"`;
      const base = lines.map(([name, value]) => `"${name}": ${value}\n`).join("");
      const bytes = text.encode(`${base}"@signature-params": ${parameters}`);
      headers["Signature-Input"] = `claw=${parameters}`;
      headers["Signature"] = `claw=:${toBase64(await sign(bytes))}:`;
      return headers;
    },
  };
}
