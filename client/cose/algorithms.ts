import type { KeyAlgorithm, SignatureAlgorithm } from "../crypto/types.ts"

export type CoseAlgorithm = {
  /** The value in the IANA registry "COSE Algorithms". */
  id: number
  /** The name there. */
  name: string
  signature: SignatureAlgorithm
  key: KeyAlgorithm
  /** Bytes of an ECDSA signature r || s; undefined for other kinds. */
  ecdsaBytes?: 64 | 96
}

/**
 * What is verified. The polymorphic ES256 and ES384 (RFC 9053, 2.1) are taken with their own curve only, EdDSA with
 * Ed25519 only, so that each means the same as its fully specified twin (RFC 9864).
 */
const ALGORITHMS: readonly CoseAlgorithm[] = [
  { id: -7, name: "ES256", signature: "ecdsa-p256-sha256", key: "p256", ecdsaBytes: 64 },
  { id: -9, name: "ESP256", signature: "ecdsa-p256-sha256", key: "p256", ecdsaBytes: 64 },
  { id: -35, name: "ES384", signature: "ecdsa-p384-sha384", key: "p384", ecdsaBytes: 96 },
  { id: -51, name: "ESP384", signature: "ecdsa-p384-sha384", key: "p384", ecdsaBytes: 96 },
  { id: -8, name: "EdDSA", signature: "ed25519", key: "ed25519" },
  { id: -19, name: "Ed25519", signature: "ed25519", key: "ed25519" },
  { id: -37, name: "PS256", signature: "rsa-pss-sha256", key: "rsa" },
]

/** The algorithm of this COSE number, or undefined when it is not one that is verified here. */
export function coseAlgorithmOf(id: unknown): CoseAlgorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm.id === id)
}

/** The algorithm that a key of this kind signs with, or undefined where it has none here: RSA. */
export function signingAlgorithmOf(key: KeyAlgorithm): CoseAlgorithm | undefined {
  return key === "rsa" ? undefined : ALGORITHMS.find((algorithm) => algorithm.key === key)
}
