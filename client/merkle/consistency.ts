import { equalBytes, toHex } from "../crypto/hex.ts"
import { ConsistencySizesError, ProofLengthError, RootMismatchError } from "../errors/merkle.ts"
import { nodeHash } from "./hashes.ts"
import { holds } from "./inclusion.ts"
import { assertHash, assertTreeSize } from "./limits.ts"

export type ConsistencyParameters = {
  /** Size of the earlier tree, at least 1. */
  firstSize: number
  firstRoot: Uint8Array
  /** Size of the later tree, at least `firstSize`. */
  secondSize: number
  secondRoot: Uint8Array
  proof: readonly Uint8Array[]
}

/**
 * Refuses, saying why, unless the second tree begins with all leaves of the first. RFC 9162, 2.1.4.2.
 *
 * @throws {@link TreeSizeError} {@link ConsistencySizesError} {@link ProofLengthError} {@link HashLengthError}
 *   {@link RootMismatchError}
 */
export function assertConsistency(parameters: ConsistencyParameters): void {
  const { firstSize, firstRoot, secondSize, secondRoot, proof } = parameters
  assertTreeSize(firstSize)
  assertTreeSize(secondSize)
  if (firstSize > secondSize) throw new ConsistencySizesError({ first: firstSize, second: secondSize })
  assertHash(firstRoot, "firstRoot")
  assertHash(secondRoot, "secondRoot")
  const expected = consistencyProofLength(firstSize, secondSize)
  if (proof.length !== expected) throw new ProofLengthError({ expected, found: proof.length })
  proof.forEach((hash, i) => assertHash(hash, `proof[${i}]`))

  if (firstSize === secondSize) return assertSame(secondRoot, firstRoot)

  // Step 2: where the first tree is a whole subtree of the second, its root is not repeated in the proof.
  const path = isPowerOfTwo(firstSize) ? [firstRoot, ...proof] : proof
  let position = firstSize - 1
  let last = secondSize - 1
  while (position % 2 === 1) {
    position >>>= 1
    last >>>= 1
  }

  let first = path[0] as Uint8Array // the length check above leaves at least one
  let second = first
  for (const hash of path.slice(1)) {
    if (position % 2 === 1 || position === last) {
      first = nodeHash(hash, first)
      second = nodeHash(hash, second)
      while (position % 2 === 0 && position !== 0) {
        position >>>= 1
        last >>>= 1
      }
    } else {
      second = nodeHash(second, hash)
    }
    position >>>= 1
    last >>>= 1
  }
  assertSame(firstRoot, first)
  assertSame(secondRoot, second)
}

/** Whether the second tree begins with all leaves of the first. RFC 9162, 2.1.4.2. */
export function verifyConsistency(parameters: ConsistencyParameters): boolean {
  return holds(() => assertConsistency(parameters))
}

/** How many hashes a consistency proof between these sizes has: SUBPROOF of RFC 9162, 2.1.4.1, counted. */
function consistencyProofLength(first: number, second: number): number {
  let length = 0
  let m = first
  let n = second
  let whole = true
  while (m !== n) {
    const split = largestPowerBelow(n)
    length++
    if (m <= split) {
      n = split
    } else {
      m -= split
      n -= split
      whole = false
    }
  }
  return whole ? length : length + 1
}

/** The largest power of two smaller than `n`, for n >= 2. */
function largestPowerBelow(n: number): number {
  return 2 ** (31 - Math.clz32(n - 1))
}

function isPowerOfTwo(n: number): boolean {
  return n === 2 ** (31 - Math.clz32(n))
}

function assertSame(expected: Uint8Array, found: Uint8Array): void {
  if (!equalBytes(expected, found)) throw new RootMismatchError({ expected: toHex(expected), found: toHex(found) })
}
