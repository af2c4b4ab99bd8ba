import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue } from "../../../client/cose/cbor.ts"
import { decodeReceipt, encodeReceipt } from "../../../client/merkle/receipt.ts"
import type { Receipt } from "../../../client/merkle/receipt.ts"
import { MerkleTree, inclusionProofLength, verifyInclusion } from "../../../client/merkle/tree.ts"
import { equalBytes } from "../../../client/crypto/hex.ts"
import {
  HashLengthError,
  IndexOutOfRangeError,
  MerkleError,
  PlaceFieldError,
  ProofLengthError,
  ReceiptMalformedError,
  ReceiptVersionError,
  TreeSizeError,
} from "../../../client/errors/merkle.ts"
import { credentialHashes } from "./naiveTree.ts"

const hashes = credentialHashes(100)
const tree = MerkleTree.fromCredentialHashes(hashes)
const receipt: Receipt = {
  chainId: 31337n,
  registry: `0x${"a1".repeat(20)}`,
  manufacturerId: 2,
  series: 9,
  size: 100,
  index: 42,
  proof: tree.inclusionProof(42),
}
const bytes = encodeReceipt(receipt)

const goodProof = encodeCbor([receipt.size, receipt.index, [...receipt.proof]])

/** The receipt's map with some entries set; `undefined` removes one. */
function withEntries(entries: [CborValue, CborValue][]): Uint8Array {
  const map = new Map<CborValue, CborValue>([
    [1, 1],
    [2, 31337],
    [3, new Uint8Array(20).fill(0xa1)],
    [4, 2],
    [5, 9],
    [395, 1],
    [396, new Map([[-1, [goodProof]]])],
  ])
  for (const [key, value] of entries) {
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
  return encodeCbor(map)
}

/** The receipt with another inclusion proof. */
function withProof(...parts: CborValue[]): Uint8Array {
  return withEntries([[396, new Map([[-1, [encodeCbor(parts)]]])]])
}

const arbitraryReceipt = fc
  .record({
    chainId: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    registry: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    manufacturerId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    series: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    size: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
  })
  .map(({ at, registry, ...rest }): Receipt => {
    const index = Math.floor(at * rest.size)
    const proof = Array.from({ length: inclusionProofLength(index, rest.size) }, (_, i) => new Uint8Array(32).fill(i))
    return { ...rest, registry: `0x${Buffer.from(registry).toString("hex")}`, index, proof }
  })

describe("encodeReceipt and decodeReceipt", () => {
  it("give back what was written, and it proves the place", () => {
    const decoded = decodeReceipt(bytes)
    expect(decoded).toEqual(receipt)
    expect(verifyInclusion({ ...decoded, credentialHash: hashes[42]!, root: tree.root() })).toBe(true)
    expect(withEntries([])).toEqual(bytes)
  })

  it("give back any receipt", () => {
    fc.assert(
      fc.property(arbitraryReceipt, (any) => {
        expect(decodeReceipt(encodeReceipt(any))).toEqual(any)
      }),
      { numRuns: 300 },
    )
  })

  it("give no Buffer back, also for one", () => {
    const decoded = decodeReceipt(Buffer.from(bytes))
    expect(decoded.proof.every((hash) => hash.constructor === Uint8Array)).toBe(true)
  })

  it("need less than 1 KiB for a million devices, and no proof at all for one", () => {
    const place = { ...receipt, chainId: 2n ** 64n - 1n, manufacturerId: 2 ** 32 - 1, series: 2 ** 32 - 1 }
    const proof = Array.from({ length: 20 }, () => new Uint8Array(32))
    expect(encodeReceipt({ ...place, size: 1_000_000, index: 700_000, proof })).toHaveLength(752)
    const alone = encodeReceipt({ ...receipt, size: 1, index: 0, proof: [] })
    expect(decodeReceipt(alone)).toMatchObject({ size: 1, index: 0, proof: [] })
  })

  it("turn every flip of one bit into a refusal or another statement", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      let decoded: Receipt | undefined
      try {
        decoded = decodeReceipt(flipped)
      } catch (error) {
        if (!(error instanceof MerkleError)) throw error
      }
      if (decoded === undefined) continue
      expect(decoded).not.toEqual(receipt)
      // One statement has one encoding.
      expect(encodeReceipt(decoded)).toEqual(flipped)
    }
  })

  it("refuse every cut and every byte behind", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeReceipt(bytes.subarray(0, length))).toThrow(ReceiptMalformedError)
    }
    expect(() => decodeReceipt(new Uint8Array([...bytes, 0]))).toThrow(ReceiptMalformedError)
  })

  it.each<[string, Uint8Array]>([
    ["an array", encodeCbor([1])],
    ["text", encodeCbor("receipt")],
    ["an unknown key", withEntries([[6, 1]])],
    ["a text key", withEntries([["extra", 1]])],
    ["no chain id", withEntries([[2, undefined]])],
    ["a chain id in text", withEntries([[2, "31337"]])],
    ["no registry", withEntries([[3, undefined]])],
    ["a manufacturer in text", withEntries([[4, "2"]])],
    ["a series beyond 53 bits", withEntries([[5, 2n ** 60n]])],
    ["another data structure", withEntries([[395, 2]])],
    ["no data structure", withEntries([[395, undefined]])],
    ["no proofs", withEntries([[396, undefined]])],
    ["an empty map of proofs", withEntries([[396, new Map()]])],
    ["a consistency proof", withEntries([[396, new Map([[-2, []]])]])],
    ["an empty list of proofs", withEntries([[396, new Map([[-1, []]])]])],
    ["two proofs", withEntries([[396, new Map([[-1, [goodProof, goodProof]]])]])],
    [
      "a consistency proof beside it",
      withEntries([
        [
          396,
          new Map<CborValue, CborValue>([
            [-1, [goodProof]],
            [-2, []],
          ]),
        ],
      ]),
    ],
    ["a proof of four parts", withProof(100, 42, [...receipt.proof], 1)],
    ["a proof that is no byte string", withEntries([[396, new Map([[-1, [1]]])]])],
    ["a proof that is no CBOR", withEntries([[396, new Map([[-1, [Uint8Array.of(0xff)]]])]])],
    ["a proof of two parts", withProof(100, 42)],
    ["a path that is no array", withProof(100, 42, 1)],
    ["a path of numbers", withProof(100, 42, [1, 2, 3, 4, 5, 6, 7])],
    ["a size in text", withProof("100", 42, [...receipt.proof])],
  ])("refuse %s", (_, bad) => {
    expect(() => decodeReceipt(bad)).toThrow(ReceiptMalformedError)
  })

  it.each<[string, Uint8Array, new (...parameters: never[]) => Error]>([
    ["version 2", withEntries([[1, 2]]), ReceiptVersionError],
    ["no version", withEntries([[1, undefined]]), ReceiptVersionError],
    ["chain id 0", withEntries([[2, 0]]), PlaceFieldError],
    ["a negative chain id", withEntries([[2, -1]]), PlaceFieldError],
    ["a registry of 21 bytes", withEntries([[3, new Uint8Array(21)]]), PlaceFieldError],
    ["manufacturer 0", withEntries([[4, 0]]), PlaceFieldError],
    ["manufacturer 2^32", withEntries([[4, 2 ** 32]]), PlaceFieldError],
    ["series 0", withEntries([[5, 0]]), PlaceFieldError],
    ["size 0", withProof(0, 0, []), TreeSizeError],
    ["size 2^32", withProof(2 ** 32, 0, []), TreeSizeError],
    ["an index as large as the size", withProof(100, 100, [...receipt.proof]), IndexOutOfRangeError],
    ["a negative index", withProof(100, -1, [...receipt.proof]), IndexOutOfRangeError],
    ["a path too short", withProof(100, 42, receipt.proof.slice(1)), ProofLengthError],
    ["a path too long", withProof(100, 42, [...receipt.proof, hashes[0]!]), ProofLengthError],
    ["a hash of 31 bytes", withProof(100, 42, [hashes[0]!.slice(1), ...receipt.proof.slice(1)]), HashLengthError],
  ])("refuse %s by name", (_, bad, error) => {
    expect(() => decodeReceipt(bad)).toThrow(error)
  })

  it.each<[string, Partial<Receipt>, new (...parameters: never[]) => Error]>([
    ["series 0", { series: 0 }, PlaceFieldError],
    ["a registry in capitals", { registry: `0x${"A1".repeat(20)}` }, PlaceFieldError],
    ["an index past the end", { index: 100 }, IndexOutOfRangeError],
    ["another size", { size: 200 }, ProofLengthError],
    ["a short hash", { proof: receipt.proof.with(0, new Uint8Array(3)) }, HashLengthError],
  ])("refuse to write %s", (_, bad, error) => {
    expect(() => encodeReceipt({ ...receipt, ...bad })).toThrow(error)
  })

  it("never crash on noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: bytes.length - 1 }), (noise, at) => {
        for (const input of [
          noise,
          new Uint8Array([...bytes.slice(0, at), ...noise, ...bytes.slice(at + noise.length)]),
        ]) {
          try {
            const decoded = decodeReceipt(input)
            expect(equalBytes(encodeReceipt(decoded), input)).toBe(true)
          } catch (error) {
            if (!(error instanceof MerkleError)) throw error
          }
        }
      }),
      { numRuns: 2000 },
    )
  })
})
