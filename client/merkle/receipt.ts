import { decodeCbor, encodeCbor, isCborArray, isCborMap } from "../cose/cbor.ts"
import type { CborValue } from "../cose/cbor.ts"
import { toHex } from "../crypto/hex.ts"
import { CborError } from "../errors/cose.ts"
import { ProofLengthError, ReceiptMalformedError, ReceiptVersionError } from "../errors/merkle.ts"
import { inclusionProofLength } from "./inclusion.ts"
import { assertHash } from "./limits.ts"
import { assertBytes, assertPlace } from "./place.ts"
import type { BatchPlace } from "./place.ts"

/** Where a credential is anchored, and the proof of it; the root comes from the ledger, never from a receipt. */
export type Receipt = BatchPlace & {
  /** Number of credentials in the batch. */
  size: number
  /** Position of this credential in it. */
  index: number
  /** Sibling hashes of 32 bytes, from the leaf upwards. */
  proof: readonly Uint8Array[]
}

const VERSION = 1
const MAX_BYTES = 2048

// Keys 1 to 5 are ours; 395 and 396 are COSE header parameters of RFC 9942.
const KEY_VERSION = 1
const KEY_CHAIN_ID = 2
const KEY_REGISTRY = 3
const KEY_MANUFACTURER = 4
const KEY_SERIES = 5
const KEY_VDS = 395 // verifiable data structure
const KEY_VDP = 396 // verifiable data structure proofs
const KEYS = [KEY_VERSION, KEY_CHAIN_ID, KEY_REGISTRY, KEY_MANUFACTURER, KEY_SERIES, KEY_VDS, KEY_VDP]
const VDS_RFC9162_SHA256 = 1
const VDP_INCLUSION = -1

/**
 * A receipt in its one encoding: docs/formats.md, "Receipt". At most 752 bytes for a batch of a million.
 *
 * @throws {@link PlaceFieldError} {@link TreeSizeError} {@link IndexOutOfRangeError} {@link ProofLengthError}
 *   {@link HashLengthError}
 */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  assertReceipt(receipt)
  const inclusionProof = encodeCbor([receipt.size, receipt.index, [...receipt.proof]])
  return encodeCbor(
    new Map<CborValue, CborValue>([
      [KEY_VERSION, VERSION],
      [KEY_CHAIN_ID, receipt.chainId],
      [KEY_REGISTRY, assertBytes(receipt.registry, 20, "registry")],
      [KEY_MANUFACTURER, receipt.manufacturerId],
      [KEY_SERIES, receipt.series],
      [KEY_VDS, VDS_RFC9162_SHA256],
      [KEY_VDP, new Map([[VDP_INCLUSION, [inclusionProof]]])],
    ]),
  )
}

/**
 * Reads a receipt. What comes back is well formed and nothing more: only the ledger's root makes it true.
 *
 * @throws {@link ReceiptMalformedError} {@link ReceiptVersionError} {@link PlaceFieldError} {@link TreeSizeError}
 *   {@link IndexOutOfRangeError} {@link ProofLengthError}
 */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  const map = decode(bytes)
  if (!isCborMap(map)) throw new ReceiptMalformedError("it is not a CBOR map.")
  const version = map.get(KEY_VERSION)
  if (version !== VERSION) throw new ReceiptVersionError({ found: describe(version) })
  const unknown = [...map.keys()].find((key) => !KEYS.includes(key as number))
  if (unknown !== undefined) throw new ReceiptMalformedError(`it has a key ${describe(unknown)} that it must not have.`)
  if (map.get(KEY_VDS) !== VDS_RFC9162_SHA256) throw new ReceiptMalformedError("395 is not 1 (RFC9162_SHA256).")

  const registry = map.get(KEY_REGISTRY)
  if (!(registry instanceof Uint8Array)) throw new ReceiptMalformedError("3 (registry) is not a byte string.")
  const { size, index, proof } = decodeInclusionProof(inclusionProofOf(map.get(KEY_VDP)))
  const receipt: Receipt = {
    chainId: bigintOf(map.get(KEY_CHAIN_ID), "2 (chain id)"),
    registry: toHex(registry),
    manufacturerId: numberOf(map.get(KEY_MANUFACTURER), "4 (manufacturer)"),
    series: numberOf(map.get(KEY_SERIES), "5 (series)"),
    size,
    index,
    proof,
  }
  assertReceipt(receipt)
  return receipt
}

/**
 * Refuses what is not a well-formed receipt; whether it is true only the ledger's root tells.
 *
 * @throws {@link ReceiptMalformedError} {@link PlaceFieldError} {@link TreeSizeError} {@link IndexOutOfRangeError}
 *   {@link ProofLengthError} {@link HashLengthError}
 */
export function assertReceipt(receipt: Receipt): void {
  if (typeof receipt !== "object" || receipt === null) throw new ReceiptMalformedError("it is not an object.")
  const { size, index, proof, ...place } = receipt
  assertPlace(place)
  const expected = inclusionProofLength(index, size)
  if (!Array.isArray(proof)) throw new ReceiptMalformedError("its proof is not a list.")
  if (proof.length !== expected) throw new ProofLengthError({ expected, found: proof.length })
  proof.forEach((hash, i) => assertHash(hash as Uint8Array, `proof[${i}]`))
}

/** RFC 9942: { -1: [ one inclusion proof ] } */
function inclusionProofOf(proofs: CborValue): Uint8Array {
  if (!isCborMap(proofs) || proofs.size !== 1) throw new ReceiptMalformedError("396 is not { -1: [proof] }.")
  const list = proofs.get(VDP_INCLUSION)
  if (!isCborArray(list) || list.length !== 1) throw new ReceiptMalformedError("396 holds no single inclusion proof.")
  const proof = list[0]
  if (!(proof instanceof Uint8Array)) throw new ReceiptMalformedError("the inclusion proof is not a byte string.")
  return proof
}

/** RFC 9942: [ tree-size, leaf-index, inclusion-path ] */
function decodeInclusionProof(bytes: Uint8Array): Pick<Receipt, "size" | "index" | "proof"> {
  const parts = decode(bytes)
  if (!isCborArray(parts) || parts.length !== 3)
    throw new ReceiptMalformedError("the proof is not [size, index, path].")
  const path = parts[2]
  if (!isCborArray(path)) throw new ReceiptMalformedError("the path is not an array.")
  const proof = path.map((hash) => {
    if (hash instanceof Uint8Array) return hash
    throw new ReceiptMalformedError("the path holds something that is no byte string.")
  })
  return { size: numberOf(parts[0], "tree size"), index: numberOf(parts[1], "leaf index"), proof }
}

function decode(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes, { maxBytes: MAX_BYTES })
  } catch (cause) {
    if (cause instanceof CborError) throw new ReceiptMalformedError(cause.message, cause)
    throw cause
  }
}

function numberOf(value: CborValue, field: string): number {
  if (typeof value === "number") return value
  throw new ReceiptMalformedError(`${field} is not a number within 53 bits.`)
}

function bigintOf(value: CborValue, field: string): bigint {
  if (typeof value === "number" || typeof value === "bigint") return BigInt(value)
  throw new ReceiptMalformedError(`${field} is not a number.`)
}

function describe(value: CborValue): string {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string" ? String(value) : "absent"
}
