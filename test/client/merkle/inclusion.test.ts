import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  MAX_TREE_SIZE,
  MerkleTree,
  assertInclusion,
  inclusionProofLength,
  leafHash,
  rootFromProof,
  verifyInclusion,
} from "../../../client/merkle/tree.ts"
import { equalBytes } from "../../../client/crypto/hex.ts"
import {
  HashLengthError,
  IndexOutOfRangeError,
  MerkleError,
  ProofLengthError,
  RootMismatchError,
  TreeSizeError,
} from "../../../client/errors/merkle.ts"
import { NaiveTree, credentialHashes, hash } from "./naiveTree.ts"

type Vector = {
  file: string
  leafIdx: number | string
  treeSize: number | string
  root: string
  leafHash: string
  proof: string[]
  wantErr: boolean
}

const vectorsUrl = new URL("../../vectors/rfc6962/proofs.json", import.meta.url)
const vectors = (JSON.parse(readFileSync(vectorsUrl, "utf8")) as { inclusion: Vector[] }).inclusion
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"))

/** The verdict on a vector, which gives the leaf's hash instead of its input. */
function accepts(vector: Vector): boolean {
  try {
    const root = rootFromProof({
      leaf: bytes(vector.leafHash),
      index: Number(vector.leafIdx),
      size: Number(vector.treeSize),
      proof: vector.proof.map(bytes),
    })
    return equalBytes(root, bytes(vector.root))
  } catch (error) {
    if (error instanceof MerkleError) return false
    throw error
  }
}

describe("rootFromProof on the RFC 6962 vectors", () => {
  it("has both good and bad ones", () => {
    expect(vectors).toHaveLength(98)
    expect(vectors.filter((vector) => !vector.wantErr).length).toBeGreaterThan(5)
  })

  it.each(vectors)("judges $file as its authors do", (vector) => {
    expect(accepts(vector)).toBe(!vector.wantErr)
  })
})

describe("verifyInclusion", () => {
  const leaves = credentialHashes(64)

  it("accepts a credential at its own index and at no other, for every pair in trees of 1 to 64", () => {
    const wrong: string[] = []
    for (let size = 1; size <= 64; size++) {
      const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
      const root = tree.root()
      const proofs = Array.from({ length: size }, (_, index) => tree.inclusionProof(index))
      for (let leaf = 0; leaf < size; leaf++) {
        for (let index = 0; index < size; index++) {
          const common = { credentialHash: leaves[leaf]!, index, size, root }
          const own = verifyInclusion({ ...common, proof: proofs[leaf]! })
          const other = verifyInclusion({ ...common, proof: proofs[index]! })
          if (own !== (leaf === index) || other !== (leaf === index)) wrong.push(`${leaf}@${index}/${size}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it("refuses every index from the size to the next power of two, by name", () => {
    for (let size = 1; size <= 64; size++) {
      const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
      const credentialHash = leaves[size - 1]!
      const last = { credentialHash, size, proof: tree.inclusionProof(size - 1), root: tree.root() }
      const power = 2 ** Math.ceil(Math.log2(size + 1))
      for (let index = size; index <= power; index++) {
        expect(() => assertInclusion({ ...last, index })).toThrow(IndexOutOfRangeError)
        expect(verifyInclusion({ ...last, index })).toBe(false)
      }
    }
  })

  it.each([-1, 0.5, NaN, Infinity, 2 ** 32, 2 ** 53, -0.1, "0" as unknown as number])("refuses index %s", (index) => {
    const proof = new NaiveTree(leaves.slice(0, 2)).path(0)
    const root = new NaiveTree(leaves.slice(0, 2)).root()
    expect(() => assertInclusion({ credentialHash: leaves[0]!, index, size: 2, proof, root })).toThrow(
      IndexOutOfRangeError,
    )
  })

  it.each([0, -1, 1.5, NaN, 2 ** 32, Number.MAX_SAFE_INTEGER, null as unknown as number])("refuses size %s", (size) => {
    const call = (): void =>
      assertInclusion({ credentialHash: leaves[0]!, index: 0, size, proof: [], root: leaves[1]! })
    expect(call).toThrow(TreeSizeError)
  })

  it("refuses a proof with a hash too many or too few, by name and with both counts", () => {
    const size = 37
    const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
    for (let index = 0; index < size; index++) {
      const proof = tree.inclusionProof(index)
      const base = { credentialHash: leaves[index]!, index, size, root: tree.root() }
      for (const bad of [proof.slice(1), proof.slice(0, -1), [...proof, tree.root()], [leaves[0]!, ...proof], []]) {
        expect(() => assertInclusion({ ...base, proof: bad })).toThrow(
          new ProofLengthError({ expected: proof.length, found: bad.length }),
        )
      }
    }
  })

  it("refuses a proof with two neighbours swapped, or any hash changed by a bit", () => {
    const size = 23
    const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
    for (let index = 0; index < size; index++) {
      const proof = tree.inclusionProof(index)
      const base = { credentialHash: leaves[index]!, index, size, root: tree.root() }
      for (let i = 0; i < proof.length; i++) {
        const flipped = proof.map((sibling) => sibling.slice())
        flipped[i]![31 - i]! ^= 1 << (i % 8)
        expect(() => assertInclusion({ ...base, proof: flipped })).toThrow(RootMismatchError)
        if (i === 0) continue
        const swapped = proof.with(i, proof[i - 1]!).with(i - 1, proof[i]!)
        expect(verifyInclusion({ ...base, proof: swapped })).toBe(false)
      }
    }
  })

  it("refuses the same proof under another size wherever the path differs", () => {
    for (let size = 1; size < 64; size++) {
      const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
      const proof = tree.inclusionProof(size - 1)
      const base = { credentialHash: leaves[size - 1]!, index: size - 1, proof, root: tree.root() }
      // The last leaf's path is another one in a larger tree: it is no longer the last.
      expect(verifyInclusion({ ...base, size: size + 1 })).toBe(false)
    }
  })

  it("accepts a proof under a neighbouring size only where the path is the same, sides included", () => {
    /** The sides on which siblings stand, from the leaf up: RFC 9162, 2.1.3.1. */
    const sides = (index: number, size: number): string => {
      if (size === 1) return ""
      let split = 1
      while (split * 2 < size) split *= 2
      return index < split ? `${sides(index, split)}R` : `${sides(index - split, size - split)}L`
    }
    const wrong: string[] = []
    for (let size = 1; size <= 64; size++) {
      const tree = MerkleTree.fromCredentialHashes(leaves.slice(0, size))
      for (let index = 0; index < size; index++) {
        const proof = tree.inclusionProof(index)
        for (const claimed of [size - 1, size + 1, size * 2]) {
          const same = index < claimed && sides(index, claimed) === sides(index, size)
          const base = { credentialHash: leaves[index]!, index, proof, root: tree.root() }
          if (verifyInclusion({ ...base, size: claimed }) !== same) wrong.push(`${index}/${size} as ${claimed}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it("refuses every inner node in place of a credential, at every index, size and proof", () => {
    let accepted = 0
    let tried = 0
    for (let size = 2; size <= 20; size++) {
      const naive = new NaiveTree(leaves.slice(0, size))
      const root = naive.root()
      const proofs = leaves.slice(0, size).flatMap((_, index) => {
        const proof = naive.path(index)
        return proof.map((__, from) => proof.slice(from)).concat([[]])
      })
      for (const node of naive.innerNodes()) {
        for (let claimed = 1; claimed <= size; claimed++) {
          for (const proof of proofs) {
            const index = claimed - 1
            if (proof.length !== inclusionProofLength(index, claimed)) continue
            tried++
            if (verifyInclusion({ credentialHash: node, index, size: claimed, proof, root })) accepted++
          }
        }
      }
    }
    expect(accepted).toBe(0)
    expect(tried).toBeGreaterThan(40_000)
  })

  it("refuses the 64 bytes under a node as a credential, though they hash to it under the other prefix", () => {
    const [left, right] = [leafHash(leaves[0]!), leafHash(leaves[1]!)]
    const root = hash(Uint8Array.of(1), left, right)
    const both = new Uint8Array([...left, ...right])
    const call = (): void => assertInclusion({ credentialHash: both, index: 0, size: 1, proof: [], root })
    expect(call).toThrow(new HashLengthError({ field: "credentialHash", length: 64 }))
  })

  it("names the value that is not 32 bytes", () => {
    const naive = new NaiveTree(leaves.slice(0, 2))
    const good = { credentialHash: leaves[0]!, index: 0, size: 2, proof: naive.path(0), root: naive.root() }
    const short = new Uint8Array(31)
    expect(() => assertInclusion(good)).not.toThrow()
    expect(() => assertInclusion({ ...good, credentialHash: short })).toThrow(/credentialHash has 31/)
    expect(() => assertInclusion({ ...good, proof: [short] })).toThrow(/proof\[0\] has 31/)
    expect(() => assertInclusion({ ...good, root: short })).toThrow(/root has 31/)
    expect(() => assertInclusion({ ...good, root: "0x" as unknown as Uint8Array })).toThrow(/root is not a Uint8Array/)
    expect(() => assertInclusion({ ...good, root: new Uint8Array(32) })).toThrow(RootMismatchError)
  })

  it("knows the proof length of the largest tree", () => {
    expect(inclusionProofLength(0, MAX_TREE_SIZE)).toBe(32)
    expect(inclusionProofLength(MAX_TREE_SIZE - 1, MAX_TREE_SIZE)).toBe(31)
    expect(inclusionProofLength(0, 1)).toBe(0)
  })

  it("never crashes and never accepts noise", () => {
    const hash32 = fc.uint8Array({ minLength: 31, maxLength: 33 })
    const parameters = fc.record({
      credentialHash: hash32,
      index: fc.oneof(fc.integer({ min: -2, max: 70 }), fc.double()),
      size: fc.oneof(fc.integer({ min: -2, max: 70 }), fc.double()),
      proof: fc.array(hash32, { maxLength: 8 }),
      root: hash32,
    })
    fc.assert(
      fc.property(parameters, (noise) => !verifyInclusion(noise)),
      { numRuns: 2000 },
    )
  })
})
