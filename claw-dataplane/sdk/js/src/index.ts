// What users of the SDK import. WebSockets, hooks and server components will stand beside these
// and use `Client` as they find it: nothing in here knows of them.

export { Client, mergePositions, type ClientOptions } from "./client.js";
export { bearer, ed25519, hmacSha256, type Authenticator, type Signable } from "./auth.js";
export { ProblemError, isProblem } from "./problem.js";
export * from "./generated.js";
