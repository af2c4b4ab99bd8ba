import { AddressInvalidError, HashInvalidError, NumberOutOfRangeError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { isAddress } from "./abi/address.ts"

const UINT32 = 0xffff_ffff
const UINT40 = 2 ** 40 - 1

/** @throws NumberOutOfRangeError */
export function assertUint32(value: number, what: string, minimum = 0): void {
  assertInteger(value, what, minimum, UINT32)
}

/** A number that counts something, from 0. @throws NumberOutOfRangeError */
export function assertCount(value: number, what: string): void {
  assertInteger(value, what, 0, Number.MAX_SAFE_INTEGER)
}

/** A time as the ledger keeps it, in Unix seconds. @throws NumberOutOfRangeError */
export function assertTime(value: number, what: string): void {
  assertInteger(value, what, 0, UINT40)
}

/** An instant as the ledger keeps it: whole Unix seconds. @throws NumberOutOfRangeError for an invalid date too. */
export function secondsOf(date: Date, what: string): number {
  const seconds = Math.floor(date.getTime() / 1000)
  assertTime(seconds, what)
  return seconds
}

/** @throws NumberOutOfRangeError unless it is a CRLReason that a revocation can have. */
export function assertReason(reason: number): void {
  const what = "a revocation's reason (without 6, 7 and 8)"
  assertInteger(reason, what, 0, 10)
  if (reason >= 6 && reason <= 8) throw new NumberOutOfRangeError({ what, found: reason, minimum: 0, maximum: 10 })
}

/** A hash or key id in its one spelling. @throws HashInvalidError */
export function assertHash32(value: Hex, what: string): void {
  if (typeof value === "string" && /^0x[0-9a-f]{64}$/.test(value)) return
  throw new HashInvalidError({ what, found: value })
}

/** An account or a contract, in lower case or with the checksum of ERC-55. @throws AddressInvalidError */
export function assertAddress(value: Hex, what: string): void {
  if (typeof value === "string" && isAddress(value)) return
  throw new AddressInvalidError({ what, found: value })
}

function assertInteger(value: number, what: string, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return
  throw new NumberOutOfRangeError({ what, found: value, minimum, maximum })
}
