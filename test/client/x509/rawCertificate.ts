import { derBitString, derElement, derOctetString, derSequence, derUnsigned } from "../../../client/crypto/derWriter.ts"
import { ecdsaRawToDer } from "../../../client/crypto/ecdsa.ts"
import { fromHex } from "../../../client/crypto/hex.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"

/** The pieces of a certificate, each whole in DER, so that any one can be made wrong. */
export type RawParts = {
  version: Uint8Array
  serial: Uint8Array
  innerAlgorithm: Uint8Array
  issuer: Uint8Array
  validity: Uint8Array
  subject: Uint8Array
  spki: Uint8Array
  uniqueIds: Uint8Array
  extensions: Uint8Array
  outerAlgorithm: Uint8Array
}

export const ECDSA_SHA256 = fromHex("0x300a06082a8648ce3d040302")
const text = (value: string) => new TextEncoder().encode(value)

/** A Name with a common name alone. */
export const commonName = (value: string): Uint8Array =>
  derSequence(derElement(0x31, derSequence(fromHex("0x0603550403"), derElement(0x0c, text(value)))))

export const utcTime = (value: string): Uint8Array => derElement(0x17, text(value))
export const generalizedTime = (value: string): Uint8Array => derElement(0x18, text(value))

/** One Extension from the octets of its OID. */
export const extension = (oid: string, value: Uint8Array, critical?: boolean): Uint8Array => {
  const flag = critical === undefined ? new Uint8Array(0) : derElement(0x01, Uint8Array.of(critical ? 0xff : 0))
  return derSequence(derElement(0x06, fromHex(oid)), flag, derOctetString(value))
}
export const extensions = (...list: Uint8Array[]): Uint8Array => derElement(0xa3, derSequence(...list))

/** A sound certificate of `signer`'s own key, but for what `changes` says. */
export async function rawCertificate(signer: KeySigner, changes: Partial<RawParts> = {}): Promise<Uint8Array> {
  const parts: RawParts = {
    version: derElement(0xa0, derUnsigned(Uint8Array.of(2))),
    serial: derUnsigned(Uint8Array.of(5)),
    innerAlgorithm: ECDSA_SHA256,
    issuer: commonName("issuer"),
    validity: derSequence(utcTime("250101000000Z"), utcTime("350101000000Z")),
    subject: commonName("device"),
    spki: signer.spki,
    uniqueIds: new Uint8Array(0),
    extensions: extensions(extension("0x551d13", derSequence(), true)),
    outerAlgorithm: ECDSA_SHA256,
    ...changes,
  }
  const { version, serial, innerAlgorithm, issuer, validity, subject, spki, uniqueIds } = parts
  const tbs = derSequence(version, serial, innerAlgorithm, issuer, validity, subject, spki, uniqueIds, parts.extensions)
  return derSequence(tbs, parts.outerAlgorithm, derBitString(ecdsaRawToDer(await signer.sign(tbs))))
}
