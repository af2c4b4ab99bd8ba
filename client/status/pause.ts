/** Lets everything else that waits for this thread have its turn. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    // Browsers have no setImmediate.
    if (typeof globalThis.setImmediate === "function") globalThis.setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
