const HOUR = 3_600
/** Requesters in memory; of more than these the oldest are forgotten. */
const MOST_REQUESTERS = 100_000

/** Counts what each requester had within an hour. */
export class HourlyCount {
  readonly #limit: number
  readonly #since = new Map<string, { from: number; count: number }>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts one more, or says in how many seconds there may be one. */
  take(requester: string, now: number): number {
    const known = this.#since.get(requester)
    const current = known === undefined || now - known.from >= HOUR ? { from: now, count: 0 } : known
    if (current.count >= this.#limit) return Math.max(1, current.from + HOUR - now)
    current.count += 1
    this.#since.delete(requester)
    this.#since.set(requester, current)
    const [oldest] = this.#since.keys()
    if (this.#since.size > MOST_REQUESTERS && oldest !== undefined) this.#since.delete(oldest)
    return 0
  }
}
