import { createHash } from "node:crypto"

/** SHA-256 by another road than the library's. */
export function hash(...parts: Uint8Array[]): Uint8Array {
  const sha = createHash("sha256")
  for (const part of parts) sha.update(part)
  return new Uint8Array(sha.digest())
}

/** RFC 9162, 2.1, word by word: recursive, slow, and with nothing in common with the library. */
export class NaiveTree {
  readonly leaves: readonly Uint8Array[]
  readonly #cache = new Map<string, Uint8Array>()

  constructor(leaves: readonly Uint8Array[]) {
    this.leaves = leaves
  }

  /** 2.1.1: MTH(D[from:to]) */
  root(from = 0, to = this.leaves.length): Uint8Array {
    const key = `${from}:${to}`
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const split = from + largestPowerBelow(to - from)
    const root =
      to - from === 1
        ? hash(Uint8Array.of(0), this.leaves[from]!)
        : hash(Uint8Array.of(1), this.root(from, split), this.root(split, to))
    this.#cache.set(key, root)
    return root
  }

  /** 2.1.3.1: PATH(m, D[from:to]), `m` counted from `from`. */
  path(m: number, from = 0, to = this.leaves.length): Uint8Array[] {
    if (to - from === 1) return []
    const k = largestPowerBelow(to - from)
    return m < k
      ? [...this.path(m, from, from + k), this.root(from + k, to)]
      : [...this.path(m - k, from + k, to), this.root(from, from + k)]
  }

  /** 2.1.4.1: PROOF(m, D[0:to]) */
  consistency(m: number, to: number): Uint8Array[] {
    return this.#subproof(m, 0, to, true)
  }

  /** Every inner node of the tree over the first `to` leaves, its root included. */
  innerNodes(from = 0, to = this.leaves.length): Uint8Array[] {
    if (to - from <= 1) return []
    const k = largestPowerBelow(to - from)
    return [this.root(from, to), ...this.innerNodes(from, from + k), ...this.innerNodes(from + k, to)]
  }

  #subproof(m: number, from: number, to: number, whole: boolean): Uint8Array[] {
    const n = to - from
    if (m === n) return whole ? [] : [this.root(from, to)]
    const k = largestPowerBelow(n)
    return m <= k
      ? [...this.#subproof(m, from, from + k, whole), this.root(from + k, to)]
      : [...this.#subproof(m - k, from + k, to, false), this.root(from, from + k)]
  }
}

/** Hashes that stand for credentials: SHA-256 of a label and a counter. */
export function credentialHashes(count: number, label = "device"): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => hash(new TextEncoder().encode(`${label} ${i}`)))
}

function largestPowerBelow(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
