export type ClientRateOptions = {
  /** Requests a second in the long run; 0: any number. */
  readonly perSecond: number
  /** Requests at once after a rest. */
  readonly burst: number
  /** Milliseconds that never go back. Default: `performance.now`. */
  readonly nowMs?: () => number
  /** How many clients are remembered. Default: 65,536, some 10 MB. */
  readonly mostClients?: number
}

type Bucket = { tokens: number; at: number }

const MOST_CLIENTS = 65_536

/** How much each client may ask: a bucket of tokens that fills evenly. */
export class ClientRate {
  readonly #options: Required<ClientRateOptions>
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: ClientRateOptions) {
    this.#options = { nowMs: () => performance.now(), mostClients: MOST_CLIENTS, ...options }
  }

  /** Takes a token of the client's: 0 if there was one, else the seconds until the next. */
  take(client: string): number {
    const { perSecond, burst, nowMs, mostClients } = this.#options
    if (perSecond === 0) return 0
    const now = nowMs()
    const found = this.#buckets.get(client)
    const tokens = found === undefined ? burst : Math.min(burst, found.tokens + ((now - found.at) / 1000) * perSecond)
    const left = tokens >= 1 ? tokens - 1 : tokens
    // The one that asked last is the last to be forgotten.
    this.#buckets.delete(client)
    this.#buckets.set(client, { tokens: left, at: now })
    if (this.#buckets.size > mostClients) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perSecond)
  }
}
