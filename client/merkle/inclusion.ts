import { equalBytes, toHex } from "../crypto/hex.ts"
import { MerkleError, ProofLengthError, RootMismatchError } from "../errors/merkle.ts"
import { leafHash, nodeHash } from "./hashes.ts"
import { assertHash, assertIndex, assertTreeSize } from "./limits.ts"

export type InclusionParameters = {
  /** 32 bytes: SHA-256 of the TBSCertificate or of the raw public key payload. */
  credentialHash: Uint8Array
  /** Position in the batch, from 0. */
  index: number
  /** Number of credentials in the batch, 1..2^32-1. */
  size: number
  /** Sibling hashes from the leaf upwards. */
  proof: readonly Uint8Array[]
  /** The batch's root on the ledger. */
  root: Uint8Array
}

/**
 * How many hashes the proof for `index` in a tree of `size` has: neither more nor fewer are ever accepted.
 *
 * @throws {@link TreeSizeError} {@link IndexOutOfRangeError}
 */
export function inclusionProofLength(index: number, size: number): number {
  assertTreeSize(size)
  assertIndex(index, size)
  let length = 0
  for (let position = index, last = size - 1; last > 0; position >>>= 1, last >>>= 1) {
    // The last node of a level with an odd count has no sibling: it moves up as it is.
    if (position % 2 === 1 || position !== last) length++
  }
  return length
}

/**
 * The root that a proof leads to. RFC 9162, 2.1.3.2, steps 1 to 4.
 *
 * @throws {@link TreeSizeError} {@link IndexOutOfRangeError} {@link ProofLengthError} {@link HashLengthError}
 */
export function rootFromProof({
  leaf,
  index,
  size,
  proof,
}: {
  /** The leaf's hash, not the credential hash. */
  leaf: Uint8Array
  index: number
  size: number
  proof: readonly Uint8Array[]
}): Uint8Array {
  const expected = inclusionProofLength(index, size)
  if (proof.length !== expected) throw new ProofLengthError({ expected, found: proof.length })
  assertHash(leaf, "leaf")
  proof.forEach((hash, i) => assertHash(hash, `proof[${i}]`))

  let position = index
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(sibling, hash)
      while (position % 2 === 0 && position !== 0) {
        position >>>= 1
        last >>>= 1
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    position >>>= 1
    last >>>= 1
  }
  return hash
}

/**
 * Refuses, saying why, unless the credential is at `index` of the batch with this `size` and `root`.
 *
 * @throws {@link TreeSizeError} {@link IndexOutOfRangeError} {@link ProofLengthError} {@link HashLengthError}
 *   {@link RootMismatchError}
 */
export function assertInclusion({ credentialHash, index, size, proof, root }: InclusionParameters): void {
  assertHash(root, "root")
  const found = rootFromProof({ leaf: leafHash(credentialHash), index, size, proof })
  if (!equalBytes(found, root)) throw new RootMismatchError({ expected: toHex(root), found: toHex(found) })
}

/** Whether the credential is at `index` of the batch with this `size` and `root`. RFC 9162, 2.1.3.2. */
export function verifyInclusion(parameters: InclusionParameters): boolean {
  return holds(() => assertInclusion(parameters))
}

/** Runs a check that throws a MerkleError to refuse; any other error is a defect and passes through. */
export function holds(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof MerkleError) return false
    throw error
  }
}
