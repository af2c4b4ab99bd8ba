import { AlgorithmKeyMismatchError, AlgorithmUnsupportedError, SignatureMalformedError } from "../errors/crypto.ts"
import { assertEcdsaDer, ecdsaDerToRaw } from "./ecdsa.ts"
import type { PublicKey } from "./publicKey.ts"
import type { HashAlgorithm, SignatureAlgorithm } from "./types.ts"

/** A signature algorithm, taken apart. `hash` is undefined for Ed25519, which hashes by itself. */
export type AlgorithmParts = {
  key: PublicKey["algorithm"]
  padding?: "pkcs1" | "pss"
  hash?: HashAlgorithm
}

const HASHES = ["sha256", "sha384", "sha512"] as const

const PARTS: ReadonlyMap<string, AlgorithmParts> = new Map<SignatureAlgorithm, AlgorithmParts>([
  ["ed25519", { key: "ed25519" }],
  ...HASHES.flatMap((hash): [SignatureAlgorithm, AlgorithmParts][] => [
    [`ecdsa-p256-${hash}`, { key: "p256", hash }],
    [`ecdsa-p384-${hash}`, { key: "p384", hash }],
    [`rsa-pkcs1-${hash}`, { key: "rsa", padding: "pkcs1", hash }],
    [`rsa-pss-${hash}`, { key: "rsa", padding: "pss", hash }],
  ]),
])

/** Octets of a digest. */
export const HASH_OCTETS: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 }

/**
 * What `algorithm` means, once it is sure that `key` can have made such a signature.
 *
 * @throws {@link AlgorithmUnsupportedError} {@link AlgorithmKeyMismatchError}
 */
export function algorithmParts(algorithm: SignatureAlgorithm, key: PublicKey): AlgorithmParts {
  const parts = PARTS.get(algorithm)
  if (parts === undefined) throw new AlgorithmUnsupportedError({ algorithm, backend: "This library" })
  if (parts.key !== key.algorithm) throw new AlgorithmKeyMismatchError({ algorithm, keyAlgorithm: key.algorithm })
  return parts
}

/**
 * The signature in the fixed-length form that curves work on (r || s for ECDSA, as given otherwise), or undefined when
 * its form alone shows that it cannot be one. Every back end asks here first, so that none is laxer than another.
 */
export function wellFormedSignature(signature: Uint8Array, key: PublicKey): Uint8Array | undefined {
  if (key.algorithm === "rsa") return signature.length === Math.ceil(key.bits / 8) ? signature : undefined
  if (key.algorithm === "ed25519") return signature.length === 64 ? signature : undefined
  try {
    return ecdsaDerToRaw(signature, key.algorithm === "p256" ? 32 : 48)
  } catch (error) {
    if (error instanceof SignatureMalformedError) return undefined
    throw error
  }
}

/** Whether {@link wellFormedSignature} has a form of it, for back ends that take signatures as they come. */
export function isWellFormedSignature(signature: Uint8Array, key: PublicKey): boolean {
  if (key.algorithm === "rsa" || key.algorithm === "ed25519") return wellFormedSignature(signature, key) !== undefined
  try {
    assertEcdsaDer(signature, key.algorithm === "p256" ? 32 : 48)
    return true
  } catch (error) {
    if (error instanceof SignatureMalformedError) return false
    throw error
  }
}
