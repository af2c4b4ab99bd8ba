import type { Hex } from "../crypto/hex.ts"
import type { Decision } from "./decide.ts"

type Seen = { readonly decision: Decision; readonly blockNumber: number }

/** Beyond this many the oldest are forgotten: by then they are final. */
const CAPACITY = 65_536

/**
 * Bad news seen at a head that was not final yet. A reorganisation may take the block away; until the chain is final past it,
 * the news stands.
 */
export class BadNews {
  readonly #seen = new Map<Hex, Seen>()

  remember(credentialHash: Hex, decision: Decision, blockNumber: number): void {
    this.#seen.delete(credentialHash)
    this.#seen.set(credentialHash, { decision, blockNumber })
    if (this.#seen.size > CAPACITY) {
      const [oldest] = this.#seen.keys()
      if (oldest !== undefined) this.#seen.delete(oldest)
    }
  }

  /** What was seen of a credential in a block that is not final at `finalNumber`. */
  standing(credentialHash: Hex, finalNumber: number): Decision | undefined {
    const seen = this.#seen.get(credentialHash)
    if (seen === undefined) return undefined
    if (seen.blockNumber > finalNumber) return seen.decision
    this.#seen.delete(credentialHash)
    return undefined
  }
}
