import { fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { PlaceFieldError } from "../errors/merkle.ts"

/** The one entry of one ledger that a receipt or a manifest speaks of. */
export type BatchPlace = {
  chainId: bigint
  /** Address of the DeviceRegistry: 20 bytes, lower case. */
  registry: Hex
  manufacturerId: number
  series: number
}

const MAX_UINT32 = 0xffff_ffff
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn

/** Times are 40 bits wide on the ledger. */
export const MAX_TIME = 2 ** 40 - 1

/** @throws {@link PlaceFieldError} when a field is outside its range */
export function assertPlace({ chainId, registry, manufacturerId, series }: BatchPlace): void {
  if (typeof chainId !== "bigint" || chainId < 1n || chainId > MAX_UINT64) {
    throw new PlaceFieldError({ field: "chainId", value: String(chainId), allowed: "1 to 2^64-1" })
  }
  assertBytes(registry, 20, "registry")
  assertUint(manufacturerId, 1, MAX_UINT32, "manufacturerId")
  assertUint(series, 1, MAX_UINT32, "series")
}

/** @throws {@link PlaceFieldError} unless `value` is an integer in `min..max` */
export function assertUint(value: number, min: number, max: number, field: string): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new PlaceFieldError({ field, value: String(value), allowed: `${min} to ${max}` })
}

/**
 * The bytes behind `hex`.
 *
 * @throws {@link PlaceFieldError} unless it is `length` bytes of lower-case hex with 0x
 */
export function assertBytes(hex: Hex, length: number, field: string): Uint8Array {
  const fits = typeof hex === "string" && hex.length === 2 + 2 * length && /^0x[0-9a-f]*$/.test(hex)
  if (!fits) throw new PlaceFieldError({ field, value: hex, allowed: `0x and ${2 * length} lower-case digits` })
  return fromHex(hex)
}
