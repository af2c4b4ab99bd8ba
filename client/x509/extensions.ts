import { CertificateMalformedError } from "../errors/x509.ts"
import { DerReader, oidText } from "../crypto/derReader.ts"
import { assertStrictDer, DER } from "../crypto/strictDer.ts"

/** One extension as it stands in the certificate; `value` is what the OCTET STRING holds. */
export type CertificateExtension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array }

/** RFC 5280, 4.2.1.3, in the order of the bits. */
export const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const

/** What a key may be used for. */
export type KeyUsage = (typeof KEY_USAGES)[number]

/**
 * Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }, RFC 5280, 4.1. `list` reads what
 * the SEQUENCE holds.
 */
export function readExtensions(list: DerReader): CertificateExtension[] {
  const extensions: CertificateExtension[] = []
  while (list.nextTag !== -1) {
    const fields = list.enter(DER.sequence, "Extension")
    const oid = oidText(fields.content(fields.read(DER.oid, "extnID")))
    const critical = fields.readIf(DER.boolean, "critical")
    const value = fields.content(fields.read(DER.octetString, "extnValue"))
    fields.finish()
    extensions.push({ oid, critical: critical !== undefined && fields.content(critical)[0] === 0xff, value })
  }
  // RFC 5280, 4.1: SIZE (1..MAX).
  if (extensions.length === 0) throw new CertificateMalformedError({ field: "extensions", reason: "is an empty list" })
  return extensions
}

/** BasicConstraints, RFC 5280, 4.2.1.9. */
export function readBasicConstraints(value: Uint8Array): { isCa: boolean; pathLength?: number } {
  const fields = only(value, DER.sequence, "BasicConstraints")
  const ca = fields.readIf(DER.boolean, "cA")
  const length = fields.nextTag === DER.integer ? fields.integer("pathLenConstraint") : undefined
  fields.finish()
  const isCa = ca !== undefined && fields.content(ca)[0] === 0xff
  return length === undefined ? { isCa } : { isCa, pathLength: smallNumber(length) }
}

/** KeyUsage, RFC 5280, 4.2.1.3. */
export function readKeyUsage(value: Uint8Array): KeyUsage[] {
  assertStrictDer(value)
  const bits = new DerReader(value)
  const content = bits.content(bits.read(DER.bitString, "KeyUsage"))
  const usages = KEY_USAGES.filter((_, bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0)
  if (usages.length === 0) throw new CertificateMalformedError({ field: "keyUsage", reason: "names no usage" })
  return usages
}

/** ExtKeyUsageSyntax, RFC 5280, 4.2.1.12: the purposes, as dotted OIDs. */
export function readExtendedKeyUsage(value: Uint8Array): string[] {
  const list = only(value, DER.sequence, "ExtKeyUsageSyntax")
  const purposes: string[] = []
  while (list.nextTag !== -1) purposes.push(oidText(list.content(list.read(DER.oid, "KeyPurposeId"))))
  if (purposes.length === 0)
    throw new CertificateMalformedError({ field: "extendedKeyUsage", reason: "is an empty list" })
  return purposes
}

/** The keyIdentifier of an AuthorityKeyIdentifier, RFC 5280, 4.2.1.1; undefined when it names the issuer otherwise. */
export function readAuthorityKeyIdentifier(value: Uint8Array): Uint8Array | undefined {
  const fields = only(value, DER.sequence, "AuthorityKeyIdentifier")
  const identifier = fields.readIf(0x80, "keyIdentifier")
  const issuer = fields.readIf(0xa1, "authorityCertIssuer")
  const serial = fields.readIf(0x82, "authorityCertSerialNumber")
  fields.finish()
  if ((issuer === undefined) !== (serial === undefined)) {
    throw new CertificateMalformedError({ field: "authorityKeyIdentifier", reason: "has an issuer or a serial alone" })
  }
  return identifier === undefined ? undefined : fields.content(identifier)
}

/** SubjectKeyIdentifier, RFC 5280, 4.2.1.2. */
export function readSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  assertStrictDer(value)
  const reader = new DerReader(value)
  return reader.content(reader.read(DER.octetString, "SubjectKeyIdentifier"))
}

function only(value: Uint8Array, tag: number, what: string): DerReader {
  assertStrictDer(value)
  return new DerReader(value).enter(tag, what)
}

function smallNumber(content: Uint8Array): number {
  if ((content[0] as number) >= 0x80 || content.length > 2) {
    throw new CertificateMalformedError({ field: "pathLenConstraint", reason: "is negative or above 32767" })
  }
  return content.reduce((number, octet) => number * 256 + octet, 0)
}
