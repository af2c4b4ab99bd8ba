import { p256, p384 } from "@noble/curves/nist.js"
import { algorithmParts, HASH_OCTETS, wellFormedSignature } from "./prepareVerify.ts"
import { parsePublicKey } from "./publicKey.ts"
import { verifyRsaPkcs1, verifyRsaPss } from "./rsaDigest.ts"
import type { PssSalt } from "./rsaDigest.ts"
import type { SignatureAlgorithm } from "./types.ts"

/** A signature over a message of which only the hash is at hand. */
export type VerifyDigestParameters = {
  algorithm: Exclude<SignatureAlgorithm, "ed25519">
  /** DER SubjectPublicKeyInfo of the signer. */
  spki: Uint8Array
  /** The message's hash, by the algorithm's own hash function. */
  digest: Uint8Array
  /** ECDSA: DER, high s allowed. RSA: as long as the modulus. */
  signature: Uint8Array
  /** Default: `digest`. */
  pssSalt?: PssSalt
}

/**
 * The same verdict as a {@link CryptoBackend} gives, for messages that are too long to hold: neither Node's crypto nor WebCrypto
 * takes a hash in place of a message.
 *
 * @throws {@link PublicKeyInvalidError} {@link AlgorithmKeyMismatchError} {@link AlgorithmUnsupportedError}
 */
export function verifyDigest(parameters: VerifyDigestParameters): boolean {
  const { algorithm, spki, digest, signature, pssSalt = "digest" } = parameters
  const key = parsePublicKey(spki)
  const { hash, padding } = algorithmParts(algorithm, key)
  if (hash === undefined || digest.length !== HASH_OCTETS[hash]) return false
  if (key.algorithm === "rsa") {
    return padding === "pss"
      ? verifyRsaPss(key, hash, digest, signature, pssSalt)
      : verifyRsaPkcs1(key, hash, digest, signature)
  }
  const raw = wellFormedSignature(signature, key)
  if (raw === undefined || key.algorithm === "ed25519") return false
  const curve = key.algorithm === "p256" ? p256 : p384
  return curve.verify(raw, digest, key.point, { lowS: false, prehash: false })
}
