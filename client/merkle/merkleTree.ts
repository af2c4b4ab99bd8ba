import { equalBytes, toHex } from "../crypto/hex.ts"
import { HashLengthError, RootMismatchError, TreeSectionError, TreeSizeError } from "../errors/merkle.ts"
import { defaultDigestInto } from "./digestInto.ts"
import type { DigestInto } from "./digestInto.ts"
import { HASH_BYTES, assertIndex, assertTreeSize } from "./limits.ts"

/** Part of a batch: `count` credentials from position `from` on. */
export type TreeSection = { from: number; count: number }

export type MerkleTreeParameters = {
  /** Credentials in the whole tree. */
  size: number
  /** Level of `nodes`: each covers 2^level leaves, the last one perhaps fewer. 0: the leaf hashes. */
  level: number
  /** Node hashes of that level, one behind the other. */
  nodes: Uint8Array
  digestInto?: DigestInto | undefined
}

/**
 * An RFC 9162 tree in memory, whole (level 0) or from some level up.
 *
 * With the lowest 8 levels left out, a tree of a million takes 250 KiB, and a proof costs 511 hashes over the
 * 256 credential hashes of its section.
 */
export class MerkleTree {
  readonly size: number
  /** The lowest level kept; 0 when the tree is whole. */
  readonly level: number
  readonly #levels: Uint8Array[]
  readonly #digestInto: DigestInto

  /** @throws {@link TreeSizeError} {@link HashLengthError} when `nodes` does not fit `size` and `level` */
  constructor({ size, level, nodes, digestInto = defaultDigestInto() }: MerkleTreeParameters) {
    assertTreeSize(size)
    const expected = Math.ceil(size / 2 ** level) * HASH_BYTES
    if (nodes.length !== expected) throw new HashLengthError({ field: "nodes", length: nodes.length })
    this.size = size
    this.level = level
    this.#digestInto = digestInto
    this.#levels = levelsAbove(nodes, digestInto)
  }

  /**
   * The whole tree over these credential hashes: a list, or one behind the other in one array.
   *
   * @throws {@link HashLengthError} {@link TreeSizeError} for none
   */
  static fromCredentialHashes(
    credentialHashes: Uint8Array | readonly Uint8Array[],
    digestInto: DigestInto = defaultDigestInto(),
  ): MerkleTree {
    const nodes = leafHashes(joined(credentialHashes), digestInto)
    return new MerkleTree({ size: nodes.length / HASH_BYTES, level: 0, nodes, digestInto })
  }

  root(): Uint8Array {
    return (this.#levels.at(-1) as Uint8Array).slice()
  }

  /**
   * The credentials whose hashes `inclusionProof(index, …)` needs: none for a whole tree.
   *
   * @throws {@link IndexOutOfRangeError}
   */
  sectionOf(index: number): TreeSection {
    assertIndex(index, this.size)
    if (this.level === 0) return { from: index, count: 0 }
    const width = 2 ** this.level
    const from = index - (index % width)
    return { from, count: Math.min(width, this.size - from) }
  }

  /**
   * The proof for `index`, from the leaf upwards. RFC 9162, 2.1.3.1.
   *
   * @param section Where only upper levels are kept: the credential hashes of `sectionOf(index)`, which must
   *   lead to the node that the tree has over them.
   * @throws {@link IndexOutOfRangeError} {@link TreeSectionError} {@link RootMismatchError}
   */
  inclusionProof(index: number, section: Uint8Array = new Uint8Array(0)): Uint8Array[] {
    const { from, count } = this.sectionOf(index)
    if (section.length !== count * HASH_BYTES) {
      throw new TreeSectionError({ expected: count * HASH_BYTES, found: section.length })
    }
    if (this.level === 0) return path(this.#levels, index)

    const below = levelsAbove(leafHashes(section, this.#digestInto), this.#digestInto)
    const place = from / 2 ** this.level
    this.#assertNode(place, below.at(-1) as Uint8Array)
    return [...path(below, index - from), ...path(this.#levels, place)]
  }

  #assertNode(place: number, found: Uint8Array): void {
    const expected = (this.#levels[0] as Uint8Array).subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES)
    if (!equalBytes(expected, found)) throw new RootMismatchError({ expected: toHex(expected), found: toHex(found) })
  }
}

/** The siblings of `position` on every level but the last. A node without a sibling moves up as it is. */
function path(levels: readonly Uint8Array[], position: number): Uint8Array[] {
  const proof: Uint8Array[] = []
  for (const level of levels.slice(0, -1)) {
    const sibling = (position % 2 === 0 ? position + 1 : position - 1) * HASH_BYTES
    if (sibling < level.length) proof.push(level.slice(sibling, sibling + HASH_BYTES))
    position = Math.floor(position / 2)
  }
  return proof
}

function leafHashes(credentialHashes: Uint8Array, digestInto: DigestInto): Uint8Array {
  const length = credentialHashes.length
  if (length % HASH_BYTES !== 0) throw new HashLengthError({ field: "credentialHashes", length })
  const leaf = new Uint8Array(1 + HASH_BYTES)
  const hashes = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += HASH_BYTES) {
    for (let i = 0; i < HASH_BYTES; i++) leaf[1 + i] = credentialHashes[offset + i] as number
    digestInto(leaf, hashes, offset)
  }
  return hashes
}

/** `nodes` and every level above it, up to the root. */
function levelsAbove(nodes: Uint8Array, digestInto: DigestInto): Uint8Array[] {
  const levels = [nodes]
  for (let below = nodes; below.length > HASH_BYTES;) {
    below = levelAbove(below, digestInto)
    levels.push(below)
  }
  return levels
}

function levelAbove(below: Uint8Array, digestInto: DigestInto): Uint8Array {
  const pairs = Math.floor(below.length / (2 * HASH_BYTES))
  const single = below.length % (2 * HASH_BYTES) !== 0
  const level = new Uint8Array((pairs + (single ? 1 : 0)) * HASH_BYTES)
  const node = new Uint8Array(1 + 2 * HASH_BYTES)
  node[0] = 0x01
  for (let pair = 0; pair < pairs; pair++) {
    const at = pair * 2 * HASH_BYTES
    for (let i = 0; i < 2 * HASH_BYTES; i++) node[1 + i] = below[at + i] as number
    digestInto(node, level, pair * HASH_BYTES)
  }
  if (single) level.set(below.subarray(below.length - HASH_BYTES), pairs * HASH_BYTES)
  return level
}

function joined(credentialHashes: Uint8Array | readonly Uint8Array[]): Uint8Array {
  if (credentialHashes instanceof Uint8Array) return credentialHashes
  if (credentialHashes.length === 0) throw new TreeSizeError({ size: 0 })
  const bytes = new Uint8Array(credentialHashes.length * HASH_BYTES)
  credentialHashes.forEach((hash, i) => {
    if (hash.length !== HASH_BYTES) throw new HashLengthError({ field: `credentialHashes[${i}]`, length: hash.length })
    bytes.set(hash, i * HASH_BYTES)
  })
  return bytes
}
