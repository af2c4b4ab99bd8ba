import { fromHex } from "../../crypto/hex.ts"
import { keccak256 } from "../../crypto/keccak256.ts"

/** The nodes of one answer and their hashes: proofs of many slots repeat the nodes near the root. */
export class TrieNodes {
  readonly #nodes = new Map<string, Uint8Array>()
  readonly #hashes = new WeakMap<Uint8Array, Uint8Array>()

  /** The octets of a node; the same array each time. Nobody changes it. */
  node(hex: string): Uint8Array {
    const known = this.#nodes.get(hex)
    if (known !== undefined) return known
    const bytes = fromHex(hex)
    this.#nodes.set(hex, bytes)
    return bytes
  }

  /** Keccak-256 of octets. */
  readonly hash = (bytes: Uint8Array): Uint8Array => {
    const known = this.#hashes.get(bytes)
    if (known !== undefined) return known
    const hash = keccak256(bytes)
    this.#hashes.set(bytes, hash)
    return hash
  }
}
