import {
  assertStrictDer,
  DER,
  DerReader,
  FleetrootError,
  oidText,
  readSignatureAlgorithm,
  readTime,
  signatureAlgorithmFor,
  toHex,
  keyAlgorithmOf,
  type CryptoBackend,
} from "../../client/index.ts"
import { CrlMalformedError } from "../errors/revocation.ts"
import type { CrlEntryFacts } from "./crlWriter.ts"

/** One entry of a CRL. */
export type CrlEntry = CrlEntryFacts & {
  /** Content octets of the INTEGER. */
  readonly serial: Uint8Array
}

/** A CRL, taken apart; the entries are read as they are asked for. Every Uint8Array is a slice of the bytes that were given. */
export type Crl = {
  readonly tbs: Uint8Array
  readonly signatureAlgorithmDer: Uint8Array
  readonly signature: Uint8Array
  readonly issuerDer: Uint8Array
  /** Unix seconds. */
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  readonly number: bigint | undefined
  /** Of a delta. */
  readonly baseNumber: bigint | undefined
  readonly authorityKeyIdentifier: Uint8Array | undefined
  /** The IssuingDistributionPoint's content, DER. */
  readonly issuingDistributionPoint: Uint8Array | undefined
  /** One by one, however many; each reading begins anew. @throws CrlMalformedError where one is none. */
  entries(): Generator<CrlEntry>
}

const LONGEST_SERIAL = 20
const LONGEST_NUMBER = 20

/**
 * Reads a CertificateList of any size, RFC 5280, 5.1, in strict DER, without building its entries in memory.
 *
 * @throws CrlMalformedError for what is none, and for critical extensions other than those of deltas and of distribution points.
 */
export function readCrl(der: Uint8Array): Crl {
  return asCrlError(() => {
    const outer = new DerReader(der)
    const fields = outer.enter(DER.sequence, "CertificateList")
    outer.finish()
    const tbsElement = fields.read(DER.sequence, "TBSCertList")
    const signatureAlgorithmDer = strict(fields.whole(fields.read(DER.sequence, "signatureAlgorithm")))
    const signatureElement = fields.read(DER.bitString, "signatureValue")
    strict(fields.whole(signatureElement))
    fields.finish()
    const list = new DerReader(der, tbsElement.body, tbsElement.end)
    if (tagOf(list) !== DER.integer) refuse("it is of version 1, which has no CRL number")
    const version = strict(list.whole(list.read(DER.integer, "version")))
    if (toHex(version) !== "0x020101") refuse("its version is none")
    const inner = strict(list.whole(list.read(DER.sequence, "signature")))
    if (toHex(inner) !== toHex(signatureAlgorithmDer)) refuse("it names two signature algorithms")
    const issuerDer = strict(list.whole(list.read(DER.sequence, "issuer")))
    const thisUpdate = timeOf(list, "thisUpdate")
    const hasNext = tagOf(list) === DER.utcTime || tagOf(list) === DER.generalizedTime
    const nextUpdate = hasNext ? timeOf(list, "nextUpdate") : undefined
    const revoked = list.readIf(DER.sequence, "revokedCertificates")
    const extensions = tagOf(list) === 0xa0 ? crlExtensions(strict(list.content(list.read(0xa0, "crlExtensions")))) : {}
    list.finish()
    if (revoked !== undefined && revoked.body === revoked.end) refuse("its list of entries is empty instead of absent")
    return {
      tbs: der.subarray(tbsElement.start, tbsElement.end),
      signatureAlgorithmDer,
      signature: der.subarray(signatureElement.body + 1, signatureElement.end),
      issuerDer,
      thisUpdate,
      nextUpdate,
      number: undefined,
      baseNumber: undefined,
      authorityKeyIdentifier: undefined,
      issuingDistributionPoint: undefined,
      ...extensions,
      *entries() {
        if (revoked === undefined) return
        const reader = new DerReader(der, revoked.body, revoked.end)
        while (reader.nextTag !== -1) yield asCrlError(() => readEntry(reader))
      },
    }
  })
}

/** Whether the owner of `issuerSpki` signed it. */
export async function verifyCrl(crl: Crl, issuerSpki: Uint8Array, crypto: CryptoBackend): Promise<boolean> {
  const named = readSignatureAlgorithm(crl.signatureAlgorithmDer)
  const key = keyAlgorithmOf(issuerSpki)
  const algorithm = named === undefined || key === undefined ? undefined : signatureAlgorithmFor(named, key)
  if (algorithm === undefined) return false
  return crypto.verify({ algorithm, spki: issuerSpki, message: crl.tbs, signature: crl.signature })
}

function readEntry(reader: DerReader): CrlEntry {
  const element = reader.read(DER.sequence, "an entry")
  strict(reader.whole(element))
  const fields = new DerReader(reader.bytes, element.body, element.end)
  const serial = fields.integer("userCertificate")
  if (serial.length > LONGEST_SERIAL) refuse("a serial number in it is longer than 20 octets")
  const revokedAt = timeOf(fields, "revocationDate")
  const entry: { -readonly [Key in keyof CrlEntry]: CrlEntry[Key] } = {
    serial,
    revokedAt,
    reason: 0,
    invalidityDate: undefined,
  }
  if (fields.nextTag !== -1) readEntryExtensions(fields.enter(DER.sequence, "crlEntryExtensions"), entry)
  fields.finish()
  return entry
}

function readEntryExtensions(list: DerReader, entry: { reason: number; invalidityDate: number | undefined }): void {
  for (const { oid, critical, value } of extensionsIn(list)) {
    const inside = new DerReader(strict(value))
    if (oid === "2.5.29.21") {
      const [code] = inside.content(inside.read(DER.enumerated, "reasonCode"))
      // RFC 5280, 5.3.1: 0 to 10 without 7.
      if (code === undefined || code > 10 || code === 7) refuse("a reason in it is none")
      entry.reason = code
    } else if (oid === "2.5.29.24") {
      const time = inside.content(inside.read(DER.generalizedTime, "invalidityDate"))
      entry.invalidityDate = readTime(DER.generalizedTime, time, "invalidityDate")
    } else if (critical) refuse(`the entry extension ${oid} is critical and unknown`)
  }
}

type KnownExtensions = Partial<
  Pick<Crl, "number" | "baseNumber" | "authorityKeyIdentifier" | "issuingDistributionPoint">
>

function crlExtensions(der: Uint8Array): KnownExtensions {
  const known: { -readonly [Key in keyof KnownExtensions]: KnownExtensions[Key] } = {}
  const outer = new DerReader(der)
  const list = outer.enter(DER.sequence, "Extensions")
  for (const { oid, critical, value } of extensionsIn(list)) {
    const inside = new DerReader(strict(value))
    switch (oid) {
      case "2.5.29.20":
        known.number = numberOf(inside.integer("cRLNumber"))
        break
      case "2.5.29.27":
        known.baseNumber = numberOf(inside.integer("BaseCRLNumber"))
        break
      case "2.5.29.28":
        known.issuingDistributionPoint = inside.content(inside.read(DER.sequence, "IssuingDistributionPoint"))
        break
      case "2.5.29.35": {
        const fields = inside.enter(DER.sequence, "AuthorityKeyIdentifier")
        const identifier = fields.readIf(0x80, "keyIdentifier")
        known.authorityKeyIdentifier = identifier && fields.content(identifier)
        break
      }
      default:
        if (critical) refuse(`the extension ${oid} is critical and unknown`)
    }
  }
  return known
}

function* extensionsIn(list: DerReader): Generator<{ oid: string; critical: boolean; value: Uint8Array }> {
  const seen = new Set<string>()
  while (list.nextTag !== -1) {
    const fields = list.enter(DER.sequence, "Extension")
    const oid = oidText(fields.content(fields.read(DER.oid, "extnID")))
    const flag = fields.readIf(DER.boolean, "critical")
    const value = fields.content(fields.read(DER.octetString, "extnValue"))
    fields.finish()
    if (seen.has(oid)) refuse(`the extension ${oid} stands in it twice`)
    seen.add(oid)
    yield { oid, critical: flag !== undefined && fields.content(flag)[0] === 0xff, value }
  }
}

// RFC 5280, 5.2.3: at most 20 octets, not negative.
function numberOf(content: Uint8Array): bigint {
  if (content.length > LONGEST_NUMBER || (content[0] as number) >= 0x80) refuse("its number is negative or too long")
  return BigInt(toHex(content))
}

function timeOf(fields: DerReader, what: string): number {
  const tag = fields.nextTag
  if (tag !== DER.utcTime && tag !== DER.generalizedTime) refuse(`its ${what} is no time`)
  return readTime(tag, fields.content(fields.read(tag, what)), what)
}

// A function, because the compiler takes a property's value for lasting.
function tagOf(fields: DerReader): number {
  return fields.nextTag
}

function strict(der: Uint8Array): Uint8Array {
  assertStrictDer(der)
  return der
}

function asCrlError<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof FleetrootError) || cause instanceof CrlMalformedError) throw cause
    throw new CrlMalformedError({ reason: cause.message.replace(/\.$/, ""), cause })
  }
}

function refuse(reason: string): never {
  throw new CrlMalformedError({ reason })
}
