import { CertificateFieldError } from "../errors/x509.ts"
import { concatBytes, equalBytes, fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { sha256 } from "../crypto/sha256.ts"

/** The deployment and the key that a position serial is bound to. */
export type PositionContext = {
  chainId: bigint
  /** Address of the DeviceRegistry, 20 bytes. */
  registry: Hex
  /** Key id of the issuer, 32 bytes. */
  issuerKeyId: Hex
}

/** A place in the ledger: position `index` of batch `series` of `manufacturerId`. */
export type Position = { manufacturerId: number; series: number; index: number }

const FIRST_OCTET = 0x5f
const TAG_START = 13
const LENGTH = 20
const DOMAIN = new TextEncoder().encode("fleetroot-serial-v1")
const MAXIMUM = 0xffff_ffff
/** The first series that may be burned into serials: those from here up need the issuer key's signature. */
const FIRST_SERIES = 0x8000_0000

/**
 * A certificate serial number that names its place: 0x5F, manufacturer id (4), series (4), index (4), and the first 7
 * octets of SHA-256("fleetroot-serial-v1" || chain id (32) || registry (20) || issuer key id || the first 13 octets).
 * Big-endian; 20 octets, positive, the longest that RFC 5280 4.1.2.2 allows.
 *
 * @throws {@link CertificateFieldError} for a field out of range: manufacturer 1.., series 2^31.., index 0..2^32-2.
 */
export function encodePositionSerial(place: PositionContext & Position): Uint8Array {
  assertUint32("manufacturerId", place.manufacturerId, 1, MAXIMUM)
  assertUint32("series", place.series, FIRST_SERIES, MAXIMUM)
  assertUint32("index", place.index, 0, MAXIMUM - 1)

  const head = new Uint8Array(TAG_START)
  const view = new DataView(head.buffer)
  head[0] = FIRST_OCTET
  view.setUint32(1, place.manufacturerId)
  view.setUint32(5, place.series)
  view.setUint32(9, place.index)
  return concatBytes(head, bindingTag(head, place))
}

/**
 * The place that a serial names, by its form alone: 20 octets, 0x5F in front, a series from 2^31 up. Undefined for any
 * other serial.
 *
 * Form is weak: of random 20-octet positive serials, as CAs make them, one in 256 has it. Only
 * {@link positionSerialMatches} tells that a serial was made as a position of this deployment and issuer key.
 */
export function decodePositionSerial(serial: Uint8Array): (Position & { tag: Uint8Array }) | undefined {
  if (serial.length !== LENGTH || serial[0] !== FIRST_OCTET) return undefined
  const view = new DataView(serial.buffer, serial.byteOffset, serial.byteLength)
  const series = view.getUint32(5)
  if (series < FIRST_SERIES) return undefined
  return { manufacturerId: view.getUint32(1), series, index: view.getUint32(9), tag: serial.slice(TAG_START) }
}

/**
 * Whether `serial` has the form of a position and was made for this deployment and issuer key.
 *
 * @throws {@link CertificateFieldError} {@link HexInvalidError} when the context itself is malformed.
 */
export function positionSerialMatches(serial: Uint8Array, context: PositionContext): boolean {
  const position = decodePositionSerial(serial)
  return position !== undefined && equalBytes(position.tag, bindingTag(serial.subarray(0, TAG_START), context))
}

function bindingTag(head: Uint8Array, { chainId, registry, issuerKeyId }: PositionContext): Uint8Array {
  if (typeof chainId !== "bigint" || chainId < 0n || chainId >> 256n !== 0n) {
    throw new CertificateFieldError({ field: "chainId", value: String(chainId), allowed: "a bigint in 0..2^256-1" })
  }
  const chain = fromHex(`0x${chainId.toString(16).padStart(64, "0")}`)
  const digest = sha256(DOMAIN, chain, sized("registry", registry, 20), sized("issuerKeyId", issuerKeyId, 32), head)
  return digest.slice(0, LENGTH - TAG_START)
}

function sized(field: string, hex: Hex, length: number): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes.length !== length) throw new CertificateFieldError({ field, value: hex, allowed: `${length} bytes` })
  return bytes
}

function assertUint32(field: string, value: number, minimum: number, maximum: number): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return
  throw new CertificateFieldError({ field, value: String(value), allowed: `an integer in ${minimum}..${maximum}` })
}
