import { HashLengthError, TreeLevelsNotKeptError, TreeSizeError } from "../errors/merkle.ts"
import { defaultDigestInto } from "./digestInto.ts"
import type { DigestInto } from "./digestInto.ts"
import { HASH_BYTES, MAX_TREE_SIZE, assertHash } from "./limits.ts"
import { MerkleTree } from "./merkleTree.ts"

export type MerkleTreeBuilderOptions = {
  /**
   * Keep the nodes from this level up (0: the leaves; 8: every 256 leaves), so that `tree()` can make proofs.
   * Without it the builder keeps one hash a level, whatever the size.
   */
  keepLevel?: number
  /** SHA-256 to use. Default: the platform's fastest. */
  digestInto?: DigestInto
}

const NODE_LEFT = 1
const NODE_RIGHT = 1 + HASH_BYTES

/**
 * Builds an RFC 9162 tree from credential hashes that come one after another, in memory that does not grow with them.
 *
 * Works like a binary counter: each set bit of the size is one finished subtree, and appending a leaf carries.
 */
export class MerkleTreeBuilder {
  readonly #digestInto: DigestInto
  readonly #keepLevel: number | undefined
  readonly #kept: HashList | undefined
  /** Root of the finished subtree of 2^level leaves, at level × 32; meaningful where that bit of the size is set. */
  readonly #subtrees = new Uint8Array(33 * HASH_BYTES)
  /** 0x00 || credential hash. */
  readonly #leaf = new Uint8Array(1 + HASH_BYTES)
  /** 0x01 || left || right. The node being carried is always in the right half. */
  readonly #node = new Uint8Array(1 + 2 * HASH_BYTES)
  #size = 0

  constructor(options: MerkleTreeBuilderOptions = {}) {
    this.#digestInto = options.digestInto ?? defaultDigestInto()
    this.#keepLevel = options.keepLevel
    this.#kept = options.keepLevel === undefined ? undefined : new HashList()
    this.#node[0] = 0x01
  }

  /** Credentials appended so far. */
  get size(): number {
    return this.#size
  }

  /**
   * Appends one credential hash of 32 bytes.
   *
   * @throws {@link HashLengthError} {@link TreeSizeError} when 2^32-1 are in already
   */
  append(credentialHash: Uint8Array): void {
    assertHash(credentialHash, "credentialHash")
    this.#appendAt(credentialHash, 0)
  }

  /**
   * Appends many credential hashes, one behind the other in `credentialHashes`: the fast way.
   *
   * @throws {@link HashLengthError} when the length is no multiple of 32. {@link TreeSizeError}
   */
  appendMany(credentialHashes: Uint8Array): void {
    const length = credentialHashes.length
    if (length % HASH_BYTES !== 0) throw new HashLengthError({ field: "credentialHashes", length })
    for (let offset = 0; offset < length; offset += HASH_BYTES) this.#appendAt(credentialHashes, offset)
  }

  /**
   * The root of what was appended so far; more may be appended afterwards.
   *
   * @throws {@link TreeSizeError} when nothing was appended
   */
  root(): Uint8Array {
    if (this.#size === 0) throw new TreeSizeError({ size: 0 })
    return this.#foldBelow(33)
  }

  /**
   * The tree from the kept level up, from which proofs can be made.
   *
   * @throws {@link TreeSizeError} when nothing was appended. {@link TreeLevelsNotKeptError} without `keepLevel`
   */
  tree(): MerkleTree {
    const level = this.#keepLevel
    if (level === undefined || this.#kept === undefined) throw new TreeLevelsNotKeptError()
    if (this.#size === 0) throw new TreeSizeError({ size: 0 })
    const whole = this.#kept.bytes()
    const hasPart = this.#size % 2 ** level !== 0
    const nodes = new Uint8Array(whole.length + (hasPart ? HASH_BYTES : 0))
    nodes.set(whole)
    if (hasPart) nodes.set(this.#foldBelow(level), whole.length)
    return new MerkleTree({ size: this.#size, level, nodes, digestInto: this.#digestInto })
  }

  #appendAt(bytes: Uint8Array, offset: number): void {
    if (this.#size === MAX_TREE_SIZE) throw new TreeSizeError({ size: MAX_TREE_SIZE + 1 })
    const leaf = this.#leaf
    const node = this.#node
    for (let i = 0; i < HASH_BYTES; i++) leaf[1 + i] = bytes[offset + i] as number
    this.#digestInto(leaf, node, NODE_RIGHT)
    if (this.#keepLevel === 0) this.#kept?.push(node, NODE_RIGHT)

    let level = 0
    for (let size = this.#size; size % 2 === 1; size >>>= 1) {
      this.#joinLeft(level)
      level++
      if (level === this.#keepLevel) this.#kept?.push(node, NODE_RIGHT)
    }
    const at = level * HASH_BYTES
    for (let i = 0; i < HASH_BYTES; i++) this.#subtrees[at + i] = node[NODE_RIGHT + i] as number
    this.#size++
  }

  /** carried := H(0x01 || subtree of this level || carried) */
  #joinLeft(level: number): void {
    const node = this.#node
    const at = level * HASH_BYTES
    for (let i = 0; i < HASH_BYTES; i++) node[NODE_LEFT + i] = this.#subtrees[at + i] as number
    this.#digestInto(node, node, NODE_RIGHT)
  }

  /** The root over the finished subtrees smaller than 2^level leaves. */
  #foldBelow(level: number): Uint8Array {
    let started = false
    for (let i = 0; i < level; i++) {
      if (Math.floor(this.#size / 2 ** i) % 2 === 0) continue
      if (started) {
        this.#joinLeft(i)
      } else {
        this.#node.set(this.#subtrees.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), NODE_RIGHT)
        started = true
      }
    }
    return this.#node.slice(NODE_RIGHT)
  }
}

/** A list of hashes that grows in one buffer. */
class HashList {
  #bytes = new Uint8Array(64 * HASH_BYTES)
  #length = 0

  push(source: Uint8Array, offset: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    for (let i = 0; i < HASH_BYTES; i++) this.#bytes[this.#length + i] = source[offset + i] as number
    this.#length += HASH_BYTES
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
