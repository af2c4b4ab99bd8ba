import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  MerkleTree,
  MerkleTreeBuilder,
  leafHash,
  merkleRoot,
  nodeHash,
  verifyInclusion,
} from "../../../client/merkle/tree.ts"
import { nativeDigestInto, portableDigestInto } from "../../../client/merkle/digestInto.ts"
import { concatBytes, toHex } from "../../../client/crypto/hex.ts"
import {
  HashLengthError,
  IndexOutOfRangeError,
  RootMismatchError,
  TreeLevelsNotKeptError,
  TreeSectionError,
  TreeSizeError,
} from "../../../client/errors/merkle.ts"
import { NaiveTree, credentialHashes, hash } from "./naiveTree.ts"

const leaves = credentialHashes(1025)

/** The credential hashes of a section, as a manifest would give them. */
function sectionBytes(tree: MerkleTree, all: readonly Uint8Array[], index: number): Uint8Array {
  const { from, count } = tree.sectionOf(index)
  return concatBytes(...all.slice(from, from + count))
}

describe("leafHash and nodeHash", () => {
  it("hash under the prefixes 0x00 and 0x01", () => {
    const [left, right] = [leaves[0]!, leaves[1]!]
    expect(leafHash(left)).toEqual(hash(Uint8Array.of(0), left))
    expect(nodeHash(left, right)).toEqual(hash(Uint8Array.of(1), left, right))
  })

  it("refuse anything but 32 bytes", () => {
    expect(() => leafHash(new Uint8Array(33))).toThrow(HashLengthError)
    expect(() => nodeHash(new Uint8Array(32), new Uint8Array(0))).toThrow(HashLengthError)
  })
})

describe("MerkleTreeBuilder and MerkleTree", () => {
  it("agree with the recursive definition for sizes 1 to 1025, root and proofs", () => {
    const builder = new MerkleTreeBuilder({ keepLevel: 3 })
    for (let size = 1; size <= 1025; size++) {
      builder.append(leaves[size - 1]!)
      const naive = naiveOf(size)
      const root = naive.root(0, size)
      expect(builder.root()).toEqual(root)

      const whole = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
      const upper = builder.tree()
      expect(whole.root()).toEqual(root)
      expect(upper.root()).toEqual(root)
      for (const index of new Set([0, size - 1, size >> 1, (size * 7) % size, (size * 31 + 5) % size])) {
        const path = naive.path(index, 0, size)
        expect(whole.inclusionProof(index)).toEqual(path)
        expect(upper.inclusionProof(index, sectionBytes(upper, leaves, index))).toEqual(path)
        expect(verifyInclusion({ credentialHash: leaves[index]!, index, size, proof: path, root })).toBe(true)
      }
    }
  })

  it("agree on random larger trees, whichever level is kept", () => {
    const many = credentialHashes(40_000, "many")
    const naive = new NaiveTree(many)
    const cases = fc.tuple(fc.integer({ min: 1026, max: 40_000 }), fc.integer({ min: 0, max: 17 }), fc.nat())
    fc.assert(
      fc.property(cases, ([size, keepLevel, seed]) => {
        const builder = new MerkleTreeBuilder({ keepLevel })
        builder.appendMany(concatBytes(...many.slice(0, size)))
        const root = naive.root(0, size)
        expect(toHex(builder.root())).toBe(toHex(root))
        const tree = builder.tree()
        const index = seed % size
        const proof = tree.inclusionProof(index, sectionBytes(tree, many, index))
        expect(proof).toEqual(naive.path(index, 0, size))
      }),
      { numRuns: 12 },
    )
  })

  it("give the same root whether leaves come singly, in bulk, or through the other hash", () => {
    const all = concatBytes(...leaves.slice(0, 777))
    const root = merkleRoot(leaves.slice(0, 777))
    expect(merkleRoot(all)).toEqual(root)

    const native = nativeDigestInto()
    expect(native).toBeDefined()
    for (const digestInto of [native!, portableDigestInto()]) {
      const builder = new MerkleTreeBuilder({ digestInto })
      builder.appendMany(all.subarray(0, 32 * 100))
      builder.append(leaves[100]!)
      builder.appendMany(all.subarray(32 * 101))
      expect(builder.size).toBe(777)
      expect(builder.root()).toEqual(root)
    }
  })

  it("go on after a root was read", () => {
    const builder = new MerkleTreeBuilder()
    for (let size = 1; size <= 70; size++) {
      builder.append(leaves[size - 1]!)
      expect(builder.root()).toEqual(builder.root())
      expect(builder.root()).toEqual(naiveOf(size).root(0, size))
    }
  })

  it("do not change with the arrays they were given", () => {
    const bytes = leaves[0]!.slice()
    const builder = new MerkleTreeBuilder({ keepLevel: 0 })
    builder.append(bytes)
    bytes.fill(0)
    const tree = builder.tree()
    builder.append(leaves[1]!)
    tree.root().fill(0)
    expect(tree.root()).toEqual(leafHash(leaves[0]!))
  })

  it("refuse to be empty", () => {
    expect(() => new MerkleTreeBuilder().root()).toThrow(TreeSizeError)
    expect(() => new MerkleTreeBuilder({ keepLevel: 0 }).tree()).toThrow(TreeSizeError)
    expect(() => merkleRoot([])).toThrow(TreeSizeError)
    expect(() => merkleRoot(new Uint8Array(0))).toThrow(TreeSizeError)
    expect(() => MerkleTree.fromCredentialHashes([])).toThrow(TreeSizeError)
    expect(() => MerkleTree.fromCredentialHashes(new Uint8Array(0))).toThrow(TreeSizeError)
  })

  it("refuse hashes of another length", () => {
    const builder = new MerkleTreeBuilder()
    expect(() => builder.append(new Uint8Array(31))).toThrow(HashLengthError)
    expect(() => builder.appendMany(new Uint8Array(65))).toThrow(HashLengthError)
    expect(() => MerkleTree.fromCredentialHashes(new Uint8Array(33))).toThrow(HashLengthError)
    expect(() => MerkleTree.fromCredentialHashes([leaves[0]!, new Uint8Array(64)])).toThrow(HashLengthError)
    expect(() => new MerkleTree({ size: 9, level: 3, nodes: new Uint8Array(32) })).toThrow(HashLengthError)
    expect(builder.size).toBe(0)
  })

  it("refuse to prove what is not there, or from the wrong hashes", () => {
    const builder = new MerkleTreeBuilder({ keepLevel: 2 })
    for (const leaf of leaves.slice(0, 10)) builder.append(leaf)
    const tree = builder.tree()
    expect(tree.sectionOf(9)).toEqual({ from: 8, count: 2 })
    expect(() => tree.inclusionProof(10)).toThrow(IndexOutOfRangeError)
    expect(() => tree.inclusionProof(-1)).toThrow(IndexOutOfRangeError)
    expect(() => tree.inclusionProof(0)).toThrow(new TreeSectionError({ expected: 128, found: 0 }))
    expect(() => tree.inclusionProof(0, concatBytes(...leaves.slice(4, 8)))).toThrow(RootMismatchError)
    const bare = new MerkleTreeBuilder()
    bare.append(leaves[0]!)
    expect(() => bare.tree()).toThrow(TreeLevelsNotKeptError)
  })
})

const naive = new NaiveTree(leaves)

/** The recursive tree over the same leaves; `root(0, size)` is that of the first `size`. */
function naiveOf(size: number): NaiveTree {
  expect(size).toBeLessThanOrEqual(naive.leaves.length)
  return naive
}
