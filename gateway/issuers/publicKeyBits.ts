import { DER, DerReader } from "../../client/index.ts"

/** The octets of the BIT STRING in a SubjectPublicKeyInfo: what OCSP hashes of a key. RFC 6960, 4.1.1. */
export function publicKeyBits(spki: Uint8Array): Uint8Array {
  const fields = new DerReader(spki).enter(DER.sequence, "SubjectPublicKeyInfo")
  fields.read(DER.sequence, "AlgorithmIdentifier")
  return fields.bitString("subjectPublicKey")
}
