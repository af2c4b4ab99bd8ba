import { CertificateMalformedError, DerInputError, DerTagError } from "../errors/x509.ts"
import { DerReader } from "../crypto/derReader.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { keyAlgorithmOf } from "../crypto/publicKey.ts"
import { sha256Hex } from "../crypto/sha256.ts"
import { assertStrictDer, DER } from "../crypto/strictDer.ts"
import type { KeyAlgorithm } from "../crypto/types.ts"
import { readSignatureAlgorithm } from "./algorithms.ts"
import type { CertificateSignatureAlgorithm } from "./algorithms.ts"
import { readAlgorithmIdentifier, readName, readSubjectPublicKeyInfo } from "./commonShapes.ts"
import {
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectKeyIdentifier,
} from "./extensions.ts"
import type { CertificateExtension, KeyUsage } from "./extensions.ts"
import { OID } from "./oids.ts"
import { readTime } from "./validityTime.ts"

/** An X.509 certificate, taken apart. Every Uint8Array is a slice of the bytes that were given. */
export type Certificate = {
  /** All of it. */
  readonly der: Uint8Array
  /** TBSCertificate: what the issuer signed. */
  readonly tbs: Uint8Array
  /** 1, 2 or 3. */
  readonly version: number
  /** Content octets of the INTEGER, big-endian, two's complement. */
  readonly serial: Uint8Array
  /** Outer AlgorithmIdentifier, whole. */
  readonly signatureAlgorithmDer: Uint8Array
  /** The one inside the TBSCertificate; the profile and the signature check demand that both are the same. */
  readonly innerSignatureAlgorithmDer: Uint8Array
  /** What the outer one means; undefined when it is unknown or has wrong parameters. */
  readonly signatureAlgorithm: CertificateSignatureAlgorithm | undefined
  readonly signatureValue: Uint8Array
  /** Name of the issuer, whole. */
  readonly issuerDer: Uint8Array
  /** Name of the subject, whole. */
  readonly subjectDer: Uint8Array
  /** Unix seconds; the certificate counts from this second on. */
  readonly notBefore: number
  /** Unix seconds; the last second in which it counts (RFC 5280, 4.1.2.5). */
  readonly notAfter: number
  /** Whether both times are UTCTime up to 2049 and GeneralizedTime from 2050, as RFC 5280 tells issuers. */
  readonly validityInRightForm: boolean
  /** SubjectPublicKeyInfo, whole. */
  readonly spki: Uint8Array
  /** What kind of key it says it holds; undefined for kinds that this library does not use. */
  readonly keyAlgorithm: KeyAlgorithm | undefined
  readonly extensions: readonly CertificateExtension[]
  readonly isCa: boolean
  readonly pathLen?: number
  readonly keyUsage?: readonly KeyUsage[]
  /** Dotted OIDs of the purposes. */
  readonly extendedKeyUsage?: readonly string[]
  readonly authorityKeyIdentifier?: Uint8Array
  readonly subjectKeyIdentifier?: Uint8Array
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly keyId: Hex
  /** SHA-256 of the TBSCertificate: the same whoever changes the signature. */
  readonly credentialHash: Hex
  /** SHA-256 of the whole: what other tools call the fingerprint. Anybody can change it; it identifies nothing. */
  readonly fingerprint: Hex
}

type KnownExtensions = Pick<
  Certificate,
  "isCa" | "pathLen" | "keyUsage" | "extendedKeyUsage" | "authorityKeyIdentifier" | "subjectKeyIdentifier"
>

/**
 * Takes a certificate apart, or refuses it. RFC 5280, 4.1.
 *
 * Strict about the encoding: one DER element, every length and value in its one form. It says nothing about whether the
 * certificate is fit for a device ({@link checkDeviceProfile}) or genuine ({@link verifyCertificateSignature}).
 *
 * @throws {@link DerError} when the bytes are not DER or not of this shape.
 * @throws {@link CertificateMalformedError} when a value in them is impossible.
 */
export function parseCertificate(input: Uint8Array): Certificate {
  const der = plainBytes(input)
  assertStrictDer(der)
  const outer = new DerReader(der).enter(DER.sequence, "Certificate")
  const tbsElement = outer.read(DER.sequence, "TBSCertificate")
  const signatureAlgorithmDer = readAlgorithmIdentifier(outer, "signatureAlgorithm")
  const signatureValue = outer.bitString("signatureValue")
  outer.finish()

  const tbs = outer.whole(tbsElement)
  const fields = new DerReader(der, tbsElement.body, tbsElement.end)
  const version = readVersion(fields)
  const serial = fields.integer("serialNumber")
  const innerSignatureAlgorithmDer = readAlgorithmIdentifier(fields, "signature")
  const issuerDer = readName(fields, "issuer")
  const validity = readValidity(fields)
  const subjectDer = readName(fields, "subject")
  const spki = readSubjectPublicKeyInfo(fields, "subjectPublicKeyInfo")
  skipUniqueIds(fields, version)
  const extensions = readTbsExtensions(fields)
  fields.finish()

  return {
    der,
    tbs,
    version,
    serial,
    signatureAlgorithmDer,
    innerSignatureAlgorithmDer,
    signatureAlgorithm: readSignatureAlgorithm(signatureAlgorithmDer),
    signatureValue,
    issuerDer,
    subjectDer,
    ...validity,
    spki,
    keyAlgorithm: keyAlgorithmOf(spki),
    extensions,
    ...readKnown(extensions),
    keyId: keyIdOf(spki),
    credentialHash: sha256Hex(tbs),
    fingerprint: sha256Hex(der),
  }
}

// A Node Buffer's slices would be Buffers: the same memory, seen as a plain Uint8Array.
function plainBytes(input: Uint8Array): Uint8Array {
  if (!(input instanceof Uint8Array)) throw new DerInputError({ found: typeof input })
  return input.constructor === Uint8Array ? input : new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
}

// [0] EXPLICIT INTEGER { v1(0), v2(1), v3(2) } DEFAULT v1
function readVersion(fields: DerReader): number {
  if (fields.nextTag !== 0xa0) return 1
  const inside = fields.enter(0xa0, "version")
  const number = inside.integer("version")
  inside.finish()
  if (number.length !== 1 || (number[0] as number) > 2) {
    throw new CertificateMalformedError({ field: "version", reason: "is none of v1, v2, v3" })
  }
  return (number[0] as number) + 1
}

const FIRST_SECOND_OF_2050 = 2_524_608_000

function readValidity(fields: DerReader): Pick<Certificate, "notBefore" | "notAfter" | "validityInRightForm"> {
  const validity = fields.enter(DER.sequence, "validity")
  const firstTag = validity.nextTag
  const notBefore = readOneTime(validity, "notBefore")
  const lastTag = validity.nextTag
  const notAfter = readOneTime(validity, "notAfter")
  validity.finish()
  const inRightForm = (tag: number, time: number) => (tag === DER.generalizedTime) === time >= FIRST_SECOND_OF_2050
  return {
    notBefore,
    notAfter,
    validityInRightForm: inRightForm(firstTag, notBefore) && inRightForm(lastTag, notAfter),
  }
}

function readOneTime(validity: DerReader, field: string): number {
  const tag = validity.nextTag
  if (tag !== DER.utcTime && tag !== DER.generalizedTime) {
    throw new DerTagError({ offset: validity.position, expected: "a time", found: Math.max(tag, 0) })
  }
  return readTime(tag, validity.content(validity.read(tag, field)), field)
}

// issuerUniqueID [1] and subjectUniqueID [2]: read by everybody, used by nobody; not in v1 (RFC 5280, 4.1.2.8).
function skipUniqueIds(fields: DerReader, version: number): void {
  const issuer = fields.readIf(0x81, "issuerUniqueID")
  const subject = fields.readIf(0x82, "subjectUniqueID")
  if (version === 1 && (issuer !== undefined || subject !== undefined)) {
    throw new CertificateMalformedError({ field: "version", reason: "is v1, which has no unique identifiers" })
  }
}

function readTbsExtensions(fields: DerReader): CertificateExtension[] {
  if (fields.nextTag !== 0xa3) return []
  const wrapper = fields.enter(0xa3, "extensions")
  const extensions = readExtensions(wrapper.enter(DER.sequence, "Extensions"))
  wrapper.finish()
  return extensions
}

// Of an extension that stands twice, which no profile allows, the stricter reading of basicConstraints counts.
function readKnown(extensions: readonly CertificateExtension[]): KnownExtensions {
  const known: { -readonly [Key in keyof KnownExtensions]: KnownExtensions[Key] } = { isCa: false }
  for (const { oid, value } of extensions) {
    if (oid === OID.basicConstraints) {
      const { isCa, pathLength } = readBasicConstraints(value)
      known.isCa ||= isCa
      if (pathLength !== undefined) known.pathLen = pathLength
    } else if (oid === OID.keyUsage) known.keyUsage = readKeyUsage(value)
    else if (oid === OID.extendedKeyUsage) known.extendedKeyUsage = readExtendedKeyUsage(value)
    else if (oid === OID.subjectKeyIdentifier) known.subjectKeyIdentifier = readSubjectKeyIdentifier(value)
    else if (oid === OID.authorityKeyIdentifier) {
      const identifier = readAuthorityKeyIdentifier(value)
      if (identifier !== undefined) known.authorityKeyIdentifier = identifier
    }
  }
  return known
}
