// A React hook over a watcher. React is handed in, so that the SDK depends on no version of it.

import type { Notice, Watcher } from "./socket.js";

/** The one function of React's that is needed. */
export interface ReactStore {
  useSyncExternalStore<T>(
    subscribe: (changed: () => void) => () => void,
    now: () => T,
    onServer: () => T,
  ): T;
}

/**
 * Makes `useNotice(watcher, id)`: the last notice of an order, a hold, a cart or a SKU, rendered
 * again whenever there is a newer one; nothing on the server.
 *
 * `const useNotice = makeUseNotice(React);`
 */
export function makeUseNotice(react: ReactStore) {
  return (watcher: Watcher, id: string): Notice | undefined =>
    react.useSyncExternalStore<Notice | undefined>(
      (changed) => watcher.listen(changed),
      () => watcher.last(id),
      () => undefined,
    );
}
