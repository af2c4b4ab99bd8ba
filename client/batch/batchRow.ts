import type { Hex } from "../crypto/hex.ts"
import type { FleetrootError } from "../errors/base.ts"

/**
 * One device of a batch, as a source gives it. `source` says where it came from, for people: "dev17.pem", or
 * "fleet.csv:17".
 */
export type BatchRow = CertificateRow | HashRow | UnreadableRow

/** A credential: a DER certificate, or the COSE message of a raw public key. */
export type CertificateRow = {
  source: string
  der: Uint8Array
  /**
   * The certificate request that the certificate was made for, in DER: its signature shows that the device holds the
   * key. Without one that is the manufacturer's word. Raw public keys show it themselves.
   */
  csr?: Uint8Array
}

/** A credential that stays elsewhere: the builder takes its hash as it is, and the batch counts it as asserted. */
export type HashRow = {
  source: string
  /** SHA-256 of the TBSCertificate or of the raw public key's payload. */
  credentialHash: Hex | Uint8Array
  /** SHA-256 of the device's SubjectPublicKeyInfo: lets devices that share a key be found. */
  deviceKeyId?: Hex | Uint8Array
  /** When the credential ends, in Unix seconds, inclusive. Default: the builder's `notAfter`. */
  notAfter?: number
}

/** Something that stands where a credential should, and cannot be read as one. */
export type UnreadableRow = { source: string; error: FleetrootError }
