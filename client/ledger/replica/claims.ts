import type { Hex } from "../../crypto/hex.ts"

/** A batch whose manifest was read and led to its root. */
export type IndexedBatch = {
  readonly manufacturerId: number
  readonly series: number
  readonly root: Hex
  readonly size: number
  /** Unix seconds. */
  readonly registeredAt: number
}

/** A place that holds a credential, found in a manifest that led to its batch's root. */
export type Claim = {
  readonly batch: IndexedBatch
  readonly index: number
  /** Both as one number. */
  readonly found: number
}

/** What `lookup` says of a credential that is in none of the batches. */
export const NOT_INDEXED = -1
/** What `lookup` says of a credential of which it cannot tell which place counts. */
export const CONTESTED = -2

const INDICES = 2 ** 32

/** A batch's ordinal and an index, in one number below 2^53. */
export function toFound(ordinal: number, index: number): number {
  return ordinal * INDICES + index
}

/** The ordinal of the batch, in the order in which batches were added. */
export function ordinalOfFound(found: number): number {
  return Math.floor(found / INDICES)
}

/** The index in the batch of what `lookup` found. */
export function indexOfFound(found: number): number {
  return found >>> 0
}

/**
 * The claim that counts: the manufacturer's earliest registration.
 *
 * Registered twice in one second, neither is earlier, and the credential has no place. Where no manufacturer is named and
 * several claim it, nobody is given the choice: a batch needs no consent of those whose credentials it copies.
 */
export function standingClaim(claims: readonly Claim[], manufacturerId: number): number {
  const own = manufacturerId === 0 ? claims : claims.filter(({ batch }) => batch.manufacturerId === manufacturerId)
  const first = own[0]
  if (first === undefined) return NOT_INDEXED
  const rivals = own.slice(1)
  const foreign = rivals.some(({ batch }) => batch.manufacturerId !== first.batch.manufacturerId)
  const tied = rivals.some(({ batch }) => batch.registeredAt === first.batch.registeredAt)
  return foreign || tied ? CONTESTED : first.found
}
