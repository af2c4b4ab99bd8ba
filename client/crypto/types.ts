/** The kinds of public key that devices, manufacturers and firmware signers may have. */
export type KeyAlgorithm = "p256" | "p384" | "rsa" | "ed25519"

/** Hash functions that a signature algorithm may name. */
export type HashAlgorithm = "sha256" | "sha384" | "sha512"

/**
 * Signature algorithm with everything that a verifier must know: curve, padding, hash.
 *
 * RSA-PSS: MGF1 with the same hash, salt as long as the hash. Ed25519: the pure form of RFC 8032.
 */
export type SignatureAlgorithm =
  | `ecdsa-p256-${HashAlgorithm}`
  | `ecdsa-p384-${HashAlgorithm}`
  | `rsa-pkcs1-${HashAlgorithm}`
  | `rsa-pss-${HashAlgorithm}`
  | "ed25519"

/** What a signature is checked against. */
export type VerifyParameters = {
  algorithm: SignatureAlgorithm
  /** DER SubjectPublicKeyInfo of the signer. */
  spki: Uint8Array
  message: Uint8Array
  /** ECDSA: DER, as X.509 carries it, high s allowed. RSA: as long as the modulus. Ed25519: 64 octets. */
  signature: Uint8Array
}

/** A way to check signatures. All give the same verdict on the same input. */
export interface CryptoBackend {
  readonly name: string
  /**
   * Whether `signature` is `spki`'s over `message`. A malformed signature is false.
   *
   * @throws {@link PublicKeyInvalidError} when `spki` is not a sound key in its one encoding.
   * @throws {@link AlgorithmKeyMismatchError} when the key is of another kind than the algorithm.
   * @throws {@link AlgorithmUnsupportedError} when neither this back end nor the platform can compute it.
   */
  verify(parameters: VerifyParameters): Promise<boolean>
  /** The same at once, on the calling thread; absent where the platform, or the purpose, does not let it. Throws alike. */
  readonly verifyNow?: (parameters: VerifyParameters) => boolean
}
