import {
  assertStrictDer,
  DER,
  derElement,
  derOctetString,
  derSequence,
  DerReader,
  FleetrootError,
  fromHex,
  oidText,
} from "../../client/index.ts"
import { OcspRequestMalformedError, OcspRequestTooManyError } from "../errors/revocation.ts"
import { generalizedTime } from "../issuers/derTime.ts"
import type { SigningResponder } from "../issuers/responder.ts"
import { signDer } from "../issuers/signDer.ts"

/** The hash of a CertID, by what RFC 8017 and FIPS 180-4 call it. */
export type CertIdHash = "sha1" | "sha256" | "sha384" | "sha512"

/** One question. Every Uint8Array is a slice of the request. */
export type CertId = {
  /** The CertID as it was sent: it goes back unchanged. */
  readonly der: Uint8Array
  /** undefined if it is none of ours. */
  readonly hash: CertIdHash | undefined
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  /** Content octets of the INTEGER. */
  readonly serial: Uint8Array
}

export type OcspRequest = {
  readonly certIds: readonly CertId[]
  /** 1 to 128 octets. RFC 9654, 2.1. */
  readonly nonce: Uint8Array | undefined
}

/** One answer, for the wire. Times are Unix seconds. */
export type SingleResponse = {
  readonly certId: Uint8Array
  readonly status: "good" | "revoked" | "unknown"
  readonly revokedAt: number
  /** RFC 5280 CRLReason; 0 is left out. */
  readonly reason: number
  readonly thisUpdate: number
  readonly nextUpdate: number
}

const HASHES: Readonly<Record<string, { readonly hash: CertIdHash; readonly octets: number }>> = {
  "1.3.14.3.2.26": { hash: "sha1", octets: 20 },
  "2.16.840.1.101.3.4.2.1": { hash: "sha256", octets: 32 },
  "2.16.840.1.101.3.4.2.2": { hash: "sha384", octets: 48 },
  "2.16.840.1.101.3.4.2.3": { hash: "sha512", octets: 64 },
}
const NONCE = "1.3.6.1.5.5.7.48.1.2"
const NONCE_OID = fromHex("0x06092b0601050507300102")
const BASIC_RESPONSE_OID = fromHex("0x06092b0601050507300101")
const LONGEST_NONCE = 128
const LONGEST_SERIAL = 20

/**
 * Reads an OCSPRequest, RFC 6960, 4.1.1. A signature around it is not judged: this responder answers everybody alike.
 *
 * @throws OcspRequestMalformedError for bytes that are none, for extensions that are critical and unknown, and for nonces of no
 *   octet or more than 128; OcspRequestTooManyError for more than `mostCertificates` questions.
 */
export function readOcspRequest(der: Uint8Array, mostCertificates: number): OcspRequest {
  try {
    assertStrictDer(der)
    return readRequest(new DerReader(der).enter(DER.sequence, "OCSPRequest"), mostCertificates)
  } catch (cause) {
    if (!(cause instanceof FleetrootError) || cause instanceof OcspRequestTooManyError) throw cause
    throw cause instanceof OcspRequestMalformedError
      ? cause
      : new OcspRequestMalformedError({ reason: cause.message.replace(/\.$/, ""), cause })
  }
}

function readRequest(outer: DerReader, mostCertificates: number): OcspRequest {
  const fields = outer.enter(DER.sequence, "TBSRequest")
  if (outer.nextTag === 0xa0) outer.read(0xa0, "optionalSignature")
  outer.finish()

  if (fields.nextTag === 0xa0) readVersion(fields.enter(0xa0, "version"))
  fields.readIf(0xa1, "requestorName")
  const list = fields.enter(DER.sequence, "requestList")
  const certIds: CertId[] = []
  while (list.nextTag !== -1) {
    if (certIds.length === mostCertificates) throw new OcspRequestTooManyError({ allowed: mostCertificates })
    certIds.push(readQuestion(list.enter(DER.sequence, "Request")))
  }
  if (certIds.length === 0) refuse("it asks nothing")
  const nonce = fields.nextTag === 0xa2 ? readExtensions(fields.enter(0xa2, "requestExtensions")) : undefined
  fields.finish()
  return { certIds, nonce }
}

function readVersion(fields: DerReader): void {
  const number = fields.integer("version")
  fields.finish()
  if (number.length !== 1 || number[0] !== 0) refuse("its version is not v1")
}

function readQuestion(fields: DerReader): CertId {
  const element = fields.read(DER.sequence, "CertID")
  const certId = readCertId(new DerReader(fields.bytes, element.body, element.end), fields.whole(element))
  if (fields.nextTag === 0xa0) readExtensions(fields.enter(0xa0, "singleRequestExtensions"))
  fields.finish()
  return certId
}

function readCertId(fields: DerReader, der: Uint8Array): CertId {
  const algorithm = fields.enter(DER.sequence, "hashAlgorithm")
  const oid = oidText(algorithm.content(algorithm.read(DER.oid, "hashAlgorithm")))
  // RFC 5754, 2: absent or NULL. More would make endless spellings of one question.
  algorithm.readIf(DER.null, "parameters")
  algorithm.finish()
  const issuerNameHash = fields.content(fields.read(DER.octetString, "issuerNameHash"))
  const issuerKeyHash = fields.content(fields.read(DER.octetString, "issuerKeyHash"))
  const serial = fields.integer("serialNumber")
  fields.finish()
  const known = Object.hasOwn(HASHES, oid) ? HASHES[oid] : undefined
  if (known !== undefined && (issuerNameHash.length !== known.octets || issuerKeyHash.length !== known.octets)) {
    refuse("a hash in it has another length than its algorithm")
  }
  // RFC 5280, 4.1.2.2.
  if (serial.length > LONGEST_SERIAL) refuse("a serial number in it is longer than 20 octets")
  return { der, hash: known?.hash, issuerNameHash, issuerKeyHash, serial }
}

/** Extensions, RFC 5280, 4.2; of those here only the nonce is known. */
function readExtensions(wrapper: DerReader): Uint8Array | undefined {
  const list = wrapper.enter(DER.sequence, "Extensions")
  wrapper.finish()
  const seen = new Set<string>()
  let nonce: Uint8Array | undefined
  while (list.nextTag !== -1) {
    const fields = list.enter(DER.sequence, "Extension")
    const oid = oidText(fields.content(fields.read(DER.oid, "extnID")))
    const criticalFlag = fields.readIf(DER.boolean, "critical")
    const value = fields.content(fields.read(DER.octetString, "extnValue"))
    fields.finish()
    if (seen.has(oid)) refuse(`the extension ${oid} stands in it twice`)
    seen.add(oid)
    if (oid === NONCE) nonce = readNonce(value)
    else if (criticalFlag !== undefined && fields.content(criticalFlag)[0] === 0xff) {
      refuse(`the extension ${oid} is critical and unknown`)
    }
  }
  return nonce
}

// RFC 9654, 2.1: an OCTET STRING of 1 to 128 octets.
function readNonce(value: Uint8Array): Uint8Array {
  assertStrictDer(value)
  const fields = new DerReader(value)
  const nonce = fields.content(fields.read(DER.octetString, "Nonce"))
  if (nonce.length === 0 || nonce.length > LONGEST_NONCE) refuse(`its nonce has ${nonce.length} octets`)
  return nonce
}

function refuse(reason: string): never {
  throw new OcspRequestMalformedError({ reason })
}

/** An OCSPResponse that says why there is no answer. RFC 6960, 2.3. */
export function encodeOcspFailure(status: number): Uint8Array {
  return derSequence(derElement(DER.enumerated, Uint8Array.of(status)))
}

/** A successful OCSPResponse with a signed BasicOCSPResponse. RFC 6960, 4.2.1. */
export async function encodeOcspResponse({
  responder,
  producedAt,
  responses,
  nonce,
}: {
  readonly responder: SigningResponder
  readonly producedAt: number
  readonly responses: readonly SingleResponse[]
  readonly nonce: Uint8Array | undefined
}): Promise<Uint8Array> {
  const data = derSequence(
    // RFC 9919, 3.2.1: the responder by its key.
    derElement(0xa2, derOctetString(responder.keyHash)),
    generalizedTime(producedAt),
    derSequence(...responses.map(encodeSingle)),
    ...(nonce === undefined ? [] : [derElement(0xa1, derSequence(encodeNonce(nonce)))]),
  )
  const signature = await signDer(data, responder.signer)
  const basic = derSequence(data, ...signature, derElement(0xa0, derSequence(responder.certificate.der)))
  const bytes = derSequence(BASIC_RESPONSE_OID, derOctetString(basic))
  return derSequence(derElement(DER.enumerated, Uint8Array.of(0)), derElement(0xa0, bytes))
}

function encodeSingle({ certId, status, revokedAt, reason, thisUpdate, nextUpdate }: SingleResponse): Uint8Array {
  return derSequence(
    certId,
    encodeStatus(status, revokedAt, reason),
    generalizedTime(thisUpdate),
    derElement(0xa0, generalizedTime(nextUpdate)),
  )
}

// CertStatus ::= CHOICE { good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL }
function encodeStatus(status: SingleResponse["status"], revokedAt: number, reason: number): Uint8Array {
  if (status === "good") return derElement(0x80)
  if (status === "unknown") return derElement(0x82)
  // RFC 5280, 5.3.1: unspecified is said by silence.
  const why = reason === 0 ? [] : [derElement(0xa0, derElement(DER.enumerated, Uint8Array.of(reason)))]
  return derElement(0xa1, generalizedTime(revokedAt), ...why)
}

function encodeNonce(nonce: Uint8Array): Uint8Array {
  return derSequence(NONCE_OID, derOctetString(derOctetString(nonce)))
}

/** The OCSPRequest for one certificate, without a nonce: what clients of RFC 9919 send, and what answers are filed under. */
export function encodeOcspRequest(certIds: readonly Uint8Array[], nonce?: Uint8Array): Uint8Array {
  const extensions = nonce === undefined ? [] : [derElement(0xa2, derSequence(encodeNonce(nonce)))]
  return derSequence(derSequence(derSequence(...certIds.map((certId) => derSequence(certId))), ...extensions))
}

const HASH_OIDS: Readonly<Record<CertIdHash, Uint8Array>> = {
  sha1: fromHex("0x06052b0e03021a"),
  sha256: fromHex("0x0609608648016503040201"),
  sha384: fromHex("0x0609608648016503040202"),
  sha512: fromHex("0x0609608648016503040203"),
}

/** A CertID, with NULL as the hash's parameters as OpenSSL, GnuTLS and nginx write them. */
export function encodeCertId(question: Omit<CertId, "der" | "hash"> & { readonly hash: CertIdHash }): Uint8Array {
  return derSequence(
    derSequence(HASH_OIDS[question.hash], derElement(DER.null)),
    derOctetString(question.issuerNameHash),
    derOctetString(question.issuerKeyHash),
    derElement(DER.integer, question.serial),
  )
}
