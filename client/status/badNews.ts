import type { Complaint, Subject } from "./decide.ts"

type Seen = { readonly complaint: Complaint; readonly blockNumber: number }

/** Beyond this many the oldest are forgotten: by then they are final. */
const CAPACITY = 65_536

/**
 * Bad news seen at a head that was not final yet. A reorganisation may take the block away; until the chain is final past it,
 * the news stands, for every credential that it concerns.
 */
export class BadNews {
  readonly #seen = new Map<Subject, Seen>()

  /** Whether nothing is remembered at all. */
  get isEmpty(): boolean {
    return this.#seen.size === 0
  }

  remember(complaint: Complaint, blockNumber: number): void {
    this.#seen.delete(complaint.about)
    this.#seen.set(complaint.about, { complaint, blockNumber })
    if (this.#seen.size > CAPACITY) {
      const [oldest] = this.#seen.keys()
      if (oldest !== undefined) this.#seen.delete(oldest)
    }
  }

  /** What was seen of these subjects in a block that is not final at `finalNumber`, against something registered then. */
  standing(subjects: readonly Subject[], registeredAt: number, finalNumber: number): Complaint | undefined {
    for (const subject of subjects) {
      const seen = this.#seen.get(subject)
      if (seen === undefined) continue
      if (seen.blockNumber <= finalNumber) this.#seen.delete(subject)
      // What was anchored before its issuer key's compromise is spared.
      else if (!subject.startsWith("issuerKey:") || registeredAt >= (seen.complaint.since ?? 0)) return seen.complaint
    }
    return undefined
  }
}
