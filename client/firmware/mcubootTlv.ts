import { TlvDuplicateError, TlvLengthError, TlvMisplacedError, TlvOverflowError } from "../errors/firmware.ts"

/** One entry behind an image. */
export type McubootTlv = {
  readonly type: number
  /** Protected entries are covered by the image's hash and signature. */
  readonly area: "protected" | "unprotected"
  readonly value: Uint8Array
}

/** The types that this library gives a meaning to. */
export const TLV = {
  keyHash: 0x01,
  publicKey: 0x02,
  sha256: 0x10,
  sha384: 0x11,
  sha512: 0x12,
  rsa2048Pss: 0x20,
  ecdsa: 0x22,
  rsa3072Pss: 0x23,
  ed25519: 0x24,
  pure: 0x25,
  dependency: 0x40,
  securityCounter: 0x50,
} as const

const AREA_HEADER_BYTES = 4
const TLV_HEADER_BYTES = 4
const LONGEST_KEY = 1_024

/** Types that mean the same kind of thing: of each row an image has one at most. */
const EXCLUSIVE: readonly (readonly number[])[] = [
  [TLV.keyHash, TLV.publicKey],
  [TLV.sha256, TLV.sha384, TLV.sha512],
  [TLV.rsa2048Pss, TLV.ecdsa, TLV.rsa3072Pss, TLV.ed25519],
]

/** Nothing else may stand outside of what the signature covers, and none of these inside. */
const UNPROTECTED = new Set<number>([...EXCLUSIVE.flat(), TLV.pure])

const LENGTHS: ReadonlyMap<number, { fits: (length: number) => boolean; expected: string }> = new Map([
  [TLV.keyHash, oneOf(32, 48, 64)],
  [TLV.publicKey, { fits: (length: number) => length > 0 && length <= LONGEST_KEY, expected: `1 to ${LONGEST_KEY}` }],
  [TLV.sha256, oneOf(32)],
  [TLV.sha384, oneOf(48)],
  [TLV.sha512, oneOf(64)],
  [TLV.rsa2048Pss, oneOf(256)],
  [TLV.rsa3072Pss, oneOf(384)],
  // P-384 in DER takes up to 104.
  [TLV.ecdsa, { fits: (length: number) => length >= 8 && length <= 104, expected: "8 to 104" }],
  [TLV.ed25519, oneOf(64)],
  [TLV.pure, oneOf(1)],
  [TLV.securityCounter, oneOf(4)],
])

/**
 * The entries of one TLV area.
 *
 * @param area The area with its header of magic and size, or nothing.
 * @param offset Where it lies in the image, for errors.
 * @throws {@link TlvOverflowError} {@link TlvMisplacedError} {@link TlvLengthError} {@link TlvDuplicateError}
 */
export function readTlvArea(area: Uint8Array, offset: number, kind: McubootTlv["area"]): McubootTlv[] {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength)
  const tlvs: McubootTlv[] = []
  const seen = new Set<number>()
  for (let at = AREA_HEADER_BYTES; at < area.length;) {
    const left = area.length - at
    if (left < TLV_HEADER_BYTES) throw new TlvOverflowError({ offset: offset + at, needed: TLV_HEADER_BYTES, left })
    const type = view.getUint16(at, true)
    const needed = TLV_HEADER_BYTES + view.getUint16(at + 2, true)
    if (needed > left) throw new TlvOverflowError({ offset: offset + at, needed, left })

    assertPlace(type, kind)
    assertLength(type, needed - TLV_HEADER_BYTES)
    assertOnce(type, seen)
    tlvs.push({ type, area: kind, value: area.slice(at + TLV_HEADER_BYTES, at + needed) })
    at += needed
  }
  return tlvs
}

function assertPlace(type: number, area: McubootTlv["area"]): void {
  if (UNPROTECTED.has(type) !== (area === "unprotected")) throw new TlvMisplacedError({ type, area })
}

function assertLength(type: number, found: number): void {
  const rule = LENGTHS.get(type)
  if (rule !== undefined && !rule.fits(found)) throw new TlvLengthError({ type, expected: rule.expected, found })
}

/** An image may depend on several others; everything else is said once. */
function assertOnce(type: number, seen: Set<number>): void {
  if (type === TLV.dependency) return
  const kin = EXCLUSIVE.find((types) => types.includes(type)) ?? [type]
  if (kin.some((other) => seen.has(other))) throw new TlvDuplicateError({ type })
  seen.add(type)
}

function oneOf(...lengths: number[]): { fits: (length: number) => boolean; expected: string } {
  return { fits: (length) => lengths.includes(length), expected: lengths.join(" or ") }
}
