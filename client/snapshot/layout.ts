import { fromHex } from "../crypto/hex.ts"
import type { KeyPurpose, ManufacturerStatus, Mark } from "../ledger/ledger.ts"

/** "FRSS" */
export const MAGIC = Uint8Array.of(0x46, 0x52, 0x53, 0x53)
export const VERSION = 1
/** Of the SHA-256 of all before, at the end. */
export const CHECKSUM_BYTES = 8

/** Numbers of the format are positions in these lists; what is undefined has none. They are those of the contracts. */
export const MANUFACTURER_STATUSES: readonly (ManufacturerStatus | undefined)[] = [
  undefined,
  "active",
  "suspended",
  "left",
]
export const KEY_PURPOSES: readonly (KeyPurpose | undefined)[] = [undefined, "issuer", "openIssuer", "firmware"]
export const MARKS: readonly Mark[] = ["none", "held", "revoked"]

/** Which fields a manufacturer has. */
export const MANUFACTURER_FLAG = { pending: 1, proposed: 2, replacementAt: 4, suspendedUntil: 8, known: 15 } as const
/** Which fields a key has, and what it is. */
export const KEY_FLAG = { proven: 1, revokedAt: 2, compromisedSince: 4, p256: 8, known: 15 } as const
/** Which fields a record has; its two lowest bits are the mark. */
export const RECORD_FLAG = { mark: 3, changed: 4, registered: 8, invalidityDate: 16, known: 31 } as const
/** What a batch is, and which fields it has; its two lowest bits are the mark. */
export const BATCH_FLAG = { mark: 3, byKey: 4, rawPublicKeys: 8, changed: 16, known: 31 } as const

/** What every DER SubjectPublicKeyInfo of a P-256 key begins with; x and y follow. */
export const P256_PREFIX = fromHex("0x3059301306072a8648ce3d020106082a8648ce3d03010703420004")
export const P256_POINT_BYTES = 64

/** Bits that the number of one of `count` records takes. */
export function ordinalBits(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1)
}
