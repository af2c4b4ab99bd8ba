import {
  DER,
  derElement,
  derOctetString,
  derSequence,
  derUnsigned,
  fromHex,
  signatureAlgorithmIdentifier,
  type KeySigner,
} from "../../client/index.ts"
import { generalizedTime, x509Time } from "../issuers/derTime.ts"
import { signedDer } from "../issuers/signDer.ts"

/** What one entry says of a certificate. Times are Unix seconds. */
export type CrlEntryFacts = {
  readonly revokedAt: number
  /** RFC 5280 CRLReason; 0 is left out, 8 is removeFromCRL. */
  readonly reason: number
  readonly invalidityDate: number | undefined
}

export type CrlParameters = {
  /** The issuer's Name in DER. */
  readonly issuerDer: Uint8Array
  readonly signer: KeySigner
  readonly authorityKeyIdentifier: Uint8Array
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly number: bigint
  /** The oldest complete CRL that this delta goes with; undefined for a complete CRL. */
  readonly baseNumber?: bigint | undefined
  /** Where this very CRL lies, if it covers only the certificates that name this address. */
  readonly distributionPoint?: string | undefined
  /** Where its deltas lie. */
  readonly freshestCrl?: string | undefined
  /** Entries in DER, many in one piece. */
  readonly entries: readonly Uint8Array[]
}

const V2 = derUnsigned(Uint8Array.of(1))
const OIDS = {
  crlNumber: fromHex("0x0603551d14"),
  reasonCode: fromHex("0x0603551d15"),
  invalidityDate: fromHex("0x0603551d18"),
  deltaCrlIndicator: fromHex("0x0603551d1b"),
  issuingDistributionPoint: fromHex("0x0603551d1c"),
  authorityKeyIdentifier: fromHex("0x0603551d23"),
  freshestCrl: fromHex("0x0603551d2e"),
} as const
const CRITICAL = derElement(DER.boolean, Uint8Array.of(0xff))
const TEXT = new TextEncoder()

/** A signed CertificateList. RFC 5280, 5.1. */
export async function writeCrl(parameters: CrlParameters): Promise<Uint8Array> {
  const { issuerDer, signer, thisUpdate, nextUpdate, entries } = parameters
  const someEntry = entries.some(({ length }) => length > 0)
  const tbs = derSequence(
    V2,
    signatureAlgorithmIdentifier(signer.algorithm),
    issuerDer,
    x509Time(thisUpdate),
    x509Time(nextUpdate),
    // RFC 5280, 5.1.2.6: absent rather than empty.
    ...(someEntry ? [derSequence(...entries)] : []),
    derElement(0xa0, derSequence(...extensionsOf(parameters))),
  )
  return signedDer(tbs, signer)
}

function extensionsOf(parameters: CrlParameters): Uint8Array[] {
  const { authorityKeyIdentifier, number, baseNumber, distributionPoint, freshestCrl } = parameters
  const found = [
    extension(OIDS.authorityKeyIdentifier, derSequence(derElement(0x80, authorityKeyIdentifier))),
    extension(OIDS.crlNumber, derUnsigned(octetsOf(number))),
  ]
  if (baseNumber !== undefined) {
    found.push(criticalExtension(OIDS.deltaCrlIndicator, derUnsigned(octetsOf(baseNumber))))
  }
  // DistributionPointName, RFC 5280, 4.2.1.13 and 5.2.5: fullName [0], a GeneralName of the kind URI [6].
  const pointName = (url: string): Uint8Array => {
    return derElement(0xa0, derElement(0xa0, derElement(0x86, TEXT.encode(url))))
  }
  if (distributionPoint !== undefined) {
    found.push(criticalExtension(OIDS.issuingDistributionPoint, derSequence(pointName(distributionPoint))))
  }
  if (freshestCrl !== undefined) {
    found.push(extension(OIDS.freshestCrl, derSequence(derSequence(pointName(freshestCrl)))))
  }
  return found
}

/**
 * Everything of an entry but the serial number: the time and the extensions. It is shared by all certificates that were revoked
 * together.
 */
export function encodeEntryTail({ revokedAt, reason, invalidityDate }: CrlEntryFacts): Uint8Array {
  const extensions = [
    // RFC 5280, 5.3.1: unspecified is said by silence.
    ...(reason === 0 ? [] : [extension(OIDS.reasonCode, derElement(DER.enumerated, Uint8Array.of(reason)))]),
    ...(invalidityDate === undefined ? [] : [extension(OIDS.invalidityDate, generalizedTime(invalidityDate))]),
  ]
  const time = x509Time(revokedAt)
  if (extensions.length === 0) return time
  const list = derSequence(...extensions)
  const tail = new Uint8Array(time.length + list.length)
  tail.set(time)
  tail.set(list, time.length)
  return tail
}

/** Entries one behind the other in memory that grows. */
export class EntryBuffer {
  #bytes = new Uint8Array(4096)
  #length = 0

  /** @param serial Content octets of its INTEGER, 1 to 20. */
  add(serial: Uint8Array, tail: Uint8Array): void {
    // Short forms throughout: a serial has at most 20 octets and a tail at most 60.
    const content = 2 + serial.length + tail.length
    if (content >= 0x80) throw new RangeError(`an entry of ${content} octets`)
    this.#reserve(2 + content)
    const bytes = this.#bytes
    let at = this.#length
    bytes[at++] = DER.sequence
    bytes[at++] = content
    bytes[at++] = DER.integer
    bytes[at++] = serial.length
    bytes.set(serial, at)
    bytes.set(tail, at + serial.length)
    this.#length += 2 + content
  }

  /** What was added, without what was reserved. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

function extension(oid: Uint8Array, value: Uint8Array): Uint8Array {
  return derSequence(oid, derOctetString(value))
}

function criticalExtension(oid: Uint8Array, value: Uint8Array): Uint8Array {
  return derSequence(oid, CRITICAL, derOctetString(value))
}

function octetsOf(number: bigint): Uint8Array {
  const digits = number.toString(16)
  return fromHex(`0x${digits.length % 2 === 0 ? "" : "0"}${digits}`)
}
