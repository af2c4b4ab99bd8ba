import type { KeyPurpose, ManufacturerStatus, Mark } from "../ledger/ledger.ts"

/** "FRSS" */
export const MAGIC = Uint8Array.of(0x46, 0x52, 0x53, 0x53)
export const VERSION = 1
/** SHA-256 at the end. */
export const CHECKSUM_BYTES = 32

/** Numbers of the format are positions in these lists; what is undefined has none. They are those of the contracts. */
export const MANUFACTURER_STATUSES: readonly (ManufacturerStatus | undefined)[] = [
  undefined,
  "active",
  "suspended",
  "left",
]
export const KEY_PURPOSES: readonly (KeyPurpose | undefined)[] = [undefined, "issuer", "openIssuer", "firmware"]
export const MARKS: readonly Mark[] = ["none", "held", "revoked"]

/** Which fields a record has; its two lowest bits are the mark. */
export const RECORD_FLAG = { mark: 3, changed: 4, registered: 8, invalidityDate: 16, known: 31 } as const

/** Bits that the number of one of `count` records takes. */
export function ordinalBits(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1)
}
