import type { Hex } from "../../client/index.ts"

const LIFETIME_SECONDS = 600
const MOST_KEYS = 10_000

/**
 * Keys that the server made, for as long as their devices may ask again; in memory only. One that was lost with the process is made
 * anew, with a new certificate.
 *
 * They are kept by their key id, which the certificate tells: a request that comes to nothing and is made again, or that another
 * gateway has under way, makes more than one key, and only one of them is the certificate's.
 */
export class ServerKeys {
  readonly #keys = new Map<Hex, { readonly pkcs8: Uint8Array; readonly until: number }>()

  put(keyId: Hex, pkcs8: Uint8Array, now: number): void {
    for (const [id, { until }] of this.#keys) {
      if (until >= now && this.#keys.size < MOST_KEYS) break
      this.#keys.delete(id)
    }
    this.#keys.set(keyId, { pkcs8, until: now + LIFETIME_SECONDS })
  }

  get(keyId: Hex, now: number): Uint8Array | undefined {
    const key = this.#keys.get(keyId)
    return key === undefined || key.until < now ? undefined : key.pkcs8
  }
}
