import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { HASH_BYTES, assertIndex } from "../merkle/limits.ts"
import { MerkleTree } from "../merkle/merkleTree.ts"
import { merkleRoot } from "../merkle/tree.ts"
import type { CollectedRows } from "./collectedRows.ts"
import type { RowEvidence } from "./judgeRow.ts"

/** A device of the batch. */
export type BatchDevice = {
  index: number
  credentialHash: Hex
  /** Where its row came from. */
  source: string
}

// Proofs are made from 256 neighbours at a time, so that no tree of all leaves has to be kept.
const SECTION = 256

export type OrderedBatchParameters = {
  rows: CollectedRows
  /** The entry at each index; undefined: entry i at index i. */
  order: Uint32Array | undefined
  onProgress?: ((done: number, size: number) => void) | undefined
}

/** Credential hashes in the order of the batch, and the tree over them. */
export class OrderedBatch {
  readonly size: number
  readonly #rows: CollectedRows
  readonly #order: Uint32Array | undefined
  /** The tree above the roots of all sections: its proofs are the upper part of ours (RFC 9162, 2.1.3.1). */
  readonly #upper: MerkleTree
  #section: { number: number; tree: MerkleTree } | undefined

  /** @throws {@link TreeSizeError} when there is no row */
  constructor({ rows, order, onProgress }: OrderedBatchParameters) {
    this.#rows = rows
    this.#order = order
    this.size = order?.length ?? rows.length
    const sections = Math.ceil(this.size / SECTION)
    const nodes = new Uint8Array(sections * HASH_BYTES)
    for (let section = 0; section < sections; section++) {
      nodes.set(merkleRoot(this.#hashesOfSection(section)), section * HASH_BYTES)
      onProgress?.(Math.min(this.size, (section + 1) * SECTION), this.size)
    }
    this.#upper = new MerkleTree({ size: sections, level: 0, nodes })
  }

  root(): Uint8Array {
    return this.#upper.root()
  }

  /** The latest not-after, in Unix seconds. */
  notAfter(): number {
    let latest = 0
    for (let index = 0; index < this.size; index++) {
      latest = Math.max(latest, this.#rows.notAfters.at(this.#entryAt(index)))
    }
    return latest
  }

  /** Devices of which exactly this was seen. */
  count(evidence: RowEvidence): number {
    let count = 0
    for (let index = 0; index < this.size; index++) {
      if (this.#rows.evidenceOf(this.#entryAt(index)) === evidence) count++
    }
    return count
  }

  /** @throws {@link IndexOutOfRangeError} */
  device(index: number): BatchDevice {
    assertIndex(index, this.size)
    const entry = this.#entryAt(index)
    return { index, credentialHash: toHex(this.#rows.hashes.at(entry)), source: this.#rows.sources.at(entry) }
  }

  /** `count` credential hashes from index `from` on, one behind the other. */
  hashes(from: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count * HASH_BYTES)
    for (let i = 0; i < count; i++) this.#rows.hashes.copy(this.#entryAt(from + i), bytes, i * HASH_BYTES)
    return bytes
  }

  /** @throws {@link IndexOutOfRangeError} */
  inclusionProof(index: number): Uint8Array[] {
    assertIndex(index, this.size)
    const number = Math.floor(index / SECTION)
    if (this.#section?.number !== number) {
      this.#section = { number, tree: MerkleTree.fromCredentialHashes(this.#hashesOfSection(number)) }
    }
    return [...this.#section.tree.inclusionProof(index % SECTION), ...this.#upper.inclusionProof(number)]
  }

  #hashesOfSection(section: number): Uint8Array {
    const from = section * SECTION
    return this.hashes(from, Math.min(SECTION, this.size - from))
  }

  #entryAt(index: number): number {
    return this.#order === undefined ? index : (this.#order[index] as number)
  }
}
