import { equalBytes } from "../crypto/hex.ts"
import { keyAlgorithmOf } from "../crypto/publicKey.ts"
import type { CryptoBackend, VerifyParameters } from "../crypto/types.ts"
import { signatureAlgorithmFor } from "./algorithms.ts"
import type { Certificate } from "./certificate.ts"

/** What a certificate's signature depends on. */
export type SignedParts = Pick<
  Certificate,
  "tbs" | "signatureValue" | "signatureAlgorithm" | "signatureAlgorithmDer" | "innerSignatureAlgorithmDer"
>

/**
 * Whether the key in `issuerSpki` signed this certificate: over the TBSCertificate's bytes as they came.
 *
 * False when inner and outer algorithm differ, when the algorithm is not one of ours, or when it does not fit the key.
 *
 * @throws {@link PublicKeyInvalidError} when `issuerSpki` is not a sound key.
 * @throws {@link AlgorithmUnsupportedError} when this platform cannot compute the algorithm: no answer, not "no".
 */
export async function verifyCertificateSignature(
  certificate: SignedParts,
  issuerSpki: Uint8Array,
  crypto: CryptoBackend,
): Promise<boolean> {
  const question = signatureQuestion(certificate, issuerSpki)
  return question !== undefined && crypto.verify(question)
}

/** What a back end is to be asked whether the key in `issuerSpki` signed this certificate; undefined if it cannot have. */
export function signatureQuestion(certificate: SignedParts, issuerSpki: Uint8Array): VerifyParameters | undefined {
  const { tbs, signatureValue, signatureAlgorithm, signatureAlgorithmDer, innerSignatureAlgorithmDer } = certificate
  // RFC 5280, 4.1.1.2: the two MUST be the same.
  if (signatureAlgorithm === undefined || !equalBytes(signatureAlgorithmDer, innerSignatureAlgorithmDer))
    return undefined

  const key = keyAlgorithmOf(issuerSpki)
  const algorithm = key === undefined ? undefined : signatureAlgorithmFor(signatureAlgorithm, key)
  if (algorithm === undefined) return undefined
  return { algorithm, spki: issuerSpki, message: tbs, signature: signatureValue }
}
