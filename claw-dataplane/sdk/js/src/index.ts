// What users of the SDK import. `Watcher` and the hook use `Client` as they find it.

export { Client, mergePositions, type ClientOptions } from "./client.js";
export { bearer, ed25519, hmacSha256, type Authenticator, type Signable } from "./auth.js";
export { ProblemError, isProblem } from "./problem.js";
export { Watcher, type Notice, type WatcherOptions } from "./socket.js";
export { makeUseNotice, type ReactStore } from "./react.js";
export * from "./generated.js";
