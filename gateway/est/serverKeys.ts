import type { Hex } from "../../client/index.ts"

const LIFETIME_SECONDS = 600
const MOST_KEYS = 10_000

/**
 * Keys that the server made, for as long as their devices may ask again; in memory only. One that was lost with the process is made
 * anew, with a new certificate.
 */
export class ServerKeys {
  readonly #keys = new Map<Hex, { readonly pkcs8: Uint8Array; readonly until: number }>()

  put(requestId: Hex, pkcs8: Uint8Array, now: number): void {
    for (const [id, { until }] of this.#keys) {
      if (until >= now && this.#keys.size < MOST_KEYS) break
      this.#keys.delete(id)
    }
    this.#keys.set(requestId, { pkcs8, until: now + LIFETIME_SECONDS })
  }

  get(requestId: Hex, now: number): Uint8Array | undefined {
    const key = this.#keys.get(requestId)
    return key === undefined || key.until < now ? undefined : key.pkcs8
  }
}
