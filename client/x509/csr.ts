import { CertificateMalformedError } from "../errors/x509.ts"
import { DerReader, oidText } from "../crypto/derReader.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { keyAlgorithmOf } from "../crypto/publicKey.ts"
import { assertStrictDer, DER } from "../crypto/strictDer.ts"
import type { CryptoBackend, KeyAlgorithm } from "../crypto/types.ts"
import { readSignatureAlgorithm, signatureAlgorithmFor } from "./algorithms.ts"
import type { CertificateSignatureAlgorithm } from "./algorithms.ts"
import { readAlgorithmIdentifier, readName, readSubjectPublicKeyInfo } from "./commonShapes.ts"
import { readExtensions } from "./extensions.ts"
import type { CertificateExtension } from "./extensions.ts"
import { OID } from "./oids.ts"

/** A certificate request (PKCS #10), taken apart. Every Uint8Array is a slice of the bytes that were given. */
export type Csr = {
  readonly der: Uint8Array
  /** CertificationRequestInfo: what the requester signed. */
  readonly info: Uint8Array
  /** Name of the subject, whole. */
  readonly subjectDer: Uint8Array
  readonly spki: Uint8Array
  readonly keyAlgorithm: KeyAlgorithm | undefined
  readonly keyId: Hex
  readonly signatureAlgorithm: CertificateSignatureAlgorithm | undefined
  readonly signatureValue: Uint8Array
  /** Each attribute with its values, whole elements, in order. */
  readonly attributes: readonly { readonly oid: string; readonly values: readonly Uint8Array[] }[]
  /** What the extensionRequest attribute asks for; empty without one. */
  readonly requestedExtensions: readonly CertificateExtension[]
}

/**
 * Takes a certificate request apart, or refuses it. RFC 2986, 4.
 *
 * @throws {@link DerError} {@link CertificateMalformedError}
 */
export function parseCsr(input: Uint8Array): Csr {
  assertStrictDer(input)
  const der = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  const outer = new DerReader(der).enter(DER.sequence, "CertificationRequest")
  const infoElement = outer.read(DER.sequence, "CertificationRequestInfo")
  const signatureAlgorithm = readSignatureAlgorithm(readAlgorithmIdentifier(outer, "signatureAlgorithm"))
  const signatureValue = outer.bitString("signature")
  outer.finish()

  const fields = new DerReader(der, infoElement.body, infoElement.end)
  const version = fields.integer("version")
  if (version.length !== 1 || version[0] !== 0)
    throw new CertificateMalformedError({ field: "version", reason: "is not v1" })
  const subjectDer = readName(fields, "subject")
  const spki = readSubjectPublicKeyInfo(fields, "subjectPKInfo")
  // The standard demands the attributes even when there are none; some encoders leave them out, and so may these.
  const attributes = fields.nextTag === 0xa0 ? readAttributes(fields.enter(0xa0, "attributes")) : []
  fields.finish()

  return {
    der,
    info: outer.whole(infoElement),
    subjectDer,
    spki,
    keyAlgorithm: keyAlgorithmOf(spki),
    keyId: keyIdOf(spki),
    signatureAlgorithm,
    signatureValue,
    attributes,
    requestedExtensions: readRequested(attributes),
  }
}

/**
 * Whether the key in the request signed the request: its holder has the private key.
 *
 * @throws {@link PublicKeyInvalidError} {@link AlgorithmUnsupportedError}
 */
export async function verifyCsr(csr: Csr, crypto: CryptoBackend): Promise<boolean> {
  const { keyAlgorithm, signatureAlgorithm, spki, info, signatureValue } = csr
  if (keyAlgorithm === undefined || signatureAlgorithm === undefined) return false
  const algorithm = signatureAlgorithmFor(signatureAlgorithm, keyAlgorithm)
  if (algorithm === undefined) return false
  return crypto.verify({ algorithm, spki, message: info, signature: signatureValue })
}

function readAttributes(list: DerReader): Csr["attributes"] {
  const attributes: { oid: string; values: Uint8Array[] }[] = []
  while (list.nextTag !== -1) {
    const fields = list.enter(DER.sequence, "Attribute")
    const oid = oidText(fields.content(fields.read(DER.oid, "type")))
    const set = fields.enter(DER.set, "values")
    fields.finish()
    const values: Uint8Array[] = []
    while (set.nextTag !== -1) values.push(set.whole(set.read(set.nextTag, "a value")))
    if (values.length === 0) throw new CertificateMalformedError({ field: `attribute ${oid}`, reason: "has no value" })
    attributes.push({ oid, values })
  }
  return attributes
}

// RFC 2985, 5.4.2: one attribute with one value.
function readRequested(attributes: Csr["attributes"]): CertificateExtension[] {
  const requests = attributes.filter(({ oid }) => oid === OID.extensionRequest)
  const [request] = requests
  if (request === undefined) return []
  if (requests.length > 1 || request.values.length > 1) {
    throw new CertificateMalformedError({ field: "extensionRequest", reason: "stands there twice" })
  }
  return readExtensions(new DerReader(request.values[0] as Uint8Array).enter(DER.sequence, "Extensions"))
}
