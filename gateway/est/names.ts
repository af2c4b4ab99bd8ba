import { createHash } from "node:crypto"
import { DER, DerReader, oidText, assertStrictDer, toHex, type Hex } from "../../client/index.ts"
import { CsrSubjectRefusedError } from "../errors/enrolment.ts"

/** X.520 attributes that have a short name: RFC 4514, 3, and the device's own serial number. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
}

/** How each string type is written. X.690, 8.23. */
const DECODERS: Readonly<Record<number, (octets: Uint8Array) => string>> = {
  0x0c: (octets) => new TextDecoder("utf-8", { fatal: true }).decode(octets),
  0x12: ascii,
  0x13: ascii,
  0x14: (octets) => Buffer.from(octets).toString("latin1"),
  0x16: ascii,
  0x1e: (octets) => new TextDecoder("utf-16be", { fatal: true }).decode(octets),
}

/**
 * A Name as text, `O=Acme,CN=device-1`, in the order in which it stands there: the same for the same words in whatever string type.
 * The four signs `\ , + =` get a `\` in front. An attribute that is no text is written in hex behind `#`.
 *
 * @throws CsrSubjectRefusedError for text that is not of its type, or has control characters.
 */
export function readSubject(name: Uint8Array): string {
  const sequence = new DerReader(name).enter(DER.sequence, "Name")
  const parts: string[] = []
  while (sequence.nextTag !== -1) {
    const set = sequence.enter(DER.set, "RelativeDistinguishedName")
    const values: string[] = []
    while (set.nextTag !== -1) {
      const attribute = set.enter(DER.sequence, "AttributeTypeAndValue")
      const oid = oidText(attribute.content(attribute.read(DER.oid, "type")))
      const tag = attribute.nextTag
      const value = attribute.read(tag, "value")
      attribute.finish()
      const decode = DECODERS[tag]
      const text =
        decode === undefined ? `#${toHex(attribute.whole(value))}` : written(decode, attribute.content(value))
      values.push(`${SHORT_NAMES[oid] ?? oid}=${text}`)
    }
    parts.push(values.toSorted().join("+"))
  }
  return parts.join(",")
}

/** One word for all spellings of a subject that people and programs would take for one another. */
export function foldSubject(subject: string): string {
  return subject.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ")
}

/**
 * Hashes of all names that a certificate would have, each for itself, so that no two devices share one: of an issuer, `subject` as
 * {@link readSubject} writes it, and the value of the subjectAltName extension.
 *
 * @throws CsrSubjectRefusedError, DerError.
 */
export function nameHashes(issuerKeyId: Hex, subject: string, alternativeNames: Uint8Array | undefined): Hex[] {
  const names: string[] = subject === "" ? [] : [`subject:${foldSubject(subject)}`]
  if (alternativeNames !== undefined) {
    assertStrictDer(alternativeNames)
    const list = new DerReader(alternativeNames).enter(DER.sequence, "GeneralNames")
    while (list.nextTag !== -1) {
      const whole = list.whole(list.read(list.nextTag, "GeneralName"))
      names.push(`name:${Buffer.from(whole).toString("latin1").toLowerCase()}`)
    }
    if (names.length === 0) throw new CsrSubjectRefusedError({ reason: "it has no name at all" })
  }
  return names.map((name) => `0x${createHash("sha256").update(`${issuerKeyId}:${name}`).digest("hex")}` as const)
}

function written(decode: (octets: Uint8Array) => string, octets: Uint8Array): string {
  let text: string
  try {
    text = decode(octets)
  } catch (cause) {
    throw new CsrSubjectRefusedError({ reason: "a name is not in its own string type", cause })
  }
  if (/\p{C}/u.test(text)) throw new CsrSubjectRefusedError({ reason: "a name has control or invisible characters" })
  return text.replaceAll(/[\\,+=]/g, (sign) => `\\${sign}`)
}

function ascii(octets: Uint8Array): string {
  if (octets.some((octet) => octet > 0x7f)) throw new RangeError("not ASCII")
  return Buffer.from(octets).toString("latin1")
}
