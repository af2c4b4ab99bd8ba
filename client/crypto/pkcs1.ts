import { FleetrootError } from "../errors/base.ts"
import { DerReader } from "./derReader.ts"
import { DER } from "./strictDer.ts"

/** The PKCS#1 RSAPublicKey inside an RSA SubjectPublicKeyInfo (RFC 3279, 2.3.1); undefined when it holds none. */
export function pkcs1Of(spki: Uint8Array): Uint8Array | undefined {
  try {
    const info = new DerReader(spki).enter(DER.sequence, "SubjectPublicKeyInfo")
    info.read(DER.sequence, "AlgorithmIdentifier")
    return info.bitString("subjectPublicKey")
  } catch (error) {
    if (error instanceof FleetrootError) return undefined
    throw error
  }
}
