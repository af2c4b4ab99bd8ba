import { decodeCbor, isCborArray } from "../cose/cbor.ts"
import type { CborValue } from "../cose/cbor.ts"
import { equalBytes } from "../crypto/hex.ts"
import { streamingHash } from "../crypto/streamingHash.ts"
import type { HashAlgorithm } from "../crypto/types.ts"
import { CborError } from "../errors/cose.ts"
import { ImageAlgorithmError, SuitMalformedError } from "../errors/firmware.ts"

/** A hash with its algorithm. */
export type SuitDigest = { readonly algorithm: HashAlgorithm; readonly value: Uint8Array }

/** The longest envelope, integrated payloads included: it is held in memory whole. */
export const MAX_SUIT_BYTES = 8 << 20
/** IANA "COSE Algorithms". */
const HASHES: ReadonlyMap<CborValue, HashAlgorithm> = new Map([
  [-16, "sha256"],
  [-43, "sha384"],
  [-44, "sha512"],
])
const HASH_LENGTHS = { sha256: 32, sha384: 48, sha512: 64 } as const

/** Whether the digest is that of `bytes`. */
export function digestMatches({ algorithm, value }: SuitDigest, bytes: Uint8Array): boolean {
  const hash = streamingHash(algorithm)
  hash.update(bytes)
  return equalBytes(hash.digest(), value)
}

/** SUIT_Digest: an array of algorithm and bytes. @throws {@link SuitMalformedError} {@link ImageAlgorithmError} */
export function readSuitDigest(value: CborValue, what: string): SuitDigest {
  if (!isCborArray(value) || value.length !== 2) refuse(`${what} is no digest`)
  const [id, bytes] = value
  const algorithm = HASHES.get(id)
  if (algorithm === undefined) {
    throw new ImageAlgorithmError({
      algorithm: describeLabel(id),
      problem: `${what} is no SHA-256, SHA-384 or SHA-512`,
    })
  }
  if (!(bytes instanceof Uint8Array) || bytes.length !== HASH_LENGTHS[algorithm]) {
    refuse(`${what} is not as long as its algorithm says`)
  }
  return { algorithm, value: bytes }
}

/** Strict CBOR, but for the order of map keys, which SUIT leaves open. @throws {@link SuitMalformedError} */
export function decodeSuit(bytes: Uint8Array, what: string): CborValue {
  try {
    return decodeCbor(bytes, { maxBytes: MAX_SUIT_BYTES, sorted: false })
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause
    throw new SuitMalformedError({ problem: `${what} is not strict CBOR: ${cause.message}`, cause })
  }
}

/** A label or number for an error message. */
export function describeLabel(value: CborValue): string {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string"
    ? String(value).slice(0, 40)
    : "of another type"
}

function refuse(problem: string): never {
  throw new SuitMalformedError({ problem })
}
