import type { Hex } from "../../crypto/hex.ts"

/** Beyond this many words the oldest are forgotten. */
const CAPACITY = 65_536

/** Words that were proven to stand under a storage root. A root stands for one content: such words never age. */
export class ProvenWords {
  readonly #words = new Map<string, bigint>()

  get(root: Hex, slot: bigint): bigint | undefined {
    return this.#words.get(`${root}:${slot}`)
  }

  set(root: Hex, slot: bigint, word: bigint): void {
    this.#words.set(`${root}:${slot}`, word)
    if (this.#words.size > CAPACITY) {
      const [oldest] = this.#words.keys()
      if (oldest !== undefined) this.#words.delete(oldest)
    }
  }
}
