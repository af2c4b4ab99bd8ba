import { BatchShuffleError } from "../errors/batch.ts"
import { NO_INDEX } from "./collectedRows.ts"
import type { CollectedRows } from "./collectedRows.ts"
import { shuffle } from "./shuffle.ts"

/**
 * The entry at each index of the batch; undefined for "entry i is at index i".
 *
 * Rows whose serial numbers name an index get it; the others take what is free, in the order in which they were given,
 * or in a secret one. Rows for which there is no place are dropped.
 *
 * @throws {@link BatchShuffleError} when a secret order is wanted and serial numbers have fixed one.
 */
export function orderRows(rows: CollectedRows, shuffleSecret: Uint8Array | undefined): Uint32Array | undefined {
  const fixed = firstPositioned(rows)
  if (fixed !== undefined && shuffleSecret !== undefined) {
    throw new BatchShuffleError({ source: rows.sources.at(fixed) })
  }
  if (fixed !== undefined) return orderByIndexes(rows)
  if (shuffleSecret === undefined && rows.keptCount === rows.length) return undefined
  const order = Uint32Array.from(rows.kept())
  return shuffleSecret === undefined ? order : shuffle(order, rows.hashes, shuffleSecret)
}

/** The first kept entry whose serial number names its index. */
export function firstPositioned(rows: CollectedRows): number | undefined {
  if (!rows.hasIndexes) return undefined
  for (const entry of rows.kept()) if (rows.indexOf(entry) !== NO_INDEX) return entry
  return undefined
}

const FREE = 0xffff_ffff

function orderByIndexes(rows: CollectedRows): Uint32Array {
  const places = new Uint32Array(rows.keptCount).fill(FREE)
  const beyond: number[] = []
  const loose: number[] = []
  for (const entry of rows.kept()) {
    const index = rows.indexOf(entry)
    const holder = places[index]
    if (index === NO_INDEX) loose.push(entry)
    else if (holder === undefined) beyond.push(entry)
    else if (holder === FREE) places[index] = entry
    else refuseTaken(rows, entry, holder)
  }

  // Rows dropped above make the batch shorter, which may put more of them beyond its end.
  const size = rows.keptCount
  for (const entry of places.subarray(size)) if (entry !== FREE) beyond.push(entry)
  const order = places.subarray(0, size)
  fillFree(order, loose)
  if (beyond.length > 0) refuseBeyond(rows, beyond, order)
  return order
}

function fillFree(order: Uint32Array, loose: readonly number[]): void {
  let next = 0
  for (let index = 0; index < order.length && next < loose.length; index++) {
    if (order[index] === FREE) order[index] = loose[next++] as number
  }
}

function refuseTaken(rows: CollectedRows, entry: number, holder: number): void {
  const other = rows.sources.at(holder)
  const message = `Its serial number names index ${rows.indexOf(entry)}, which ${other} has too.`
  rows.drop(entry, { code: "positionTaken", message, other })
}

function refuseBeyond(rows: CollectedRows, beyond: readonly number[], order: Uint32Array): void {
  const missing = order.indexOf(FREE)
  for (const entry of beyond) {
    const message = `Its serial number names index ${rows.indexOf(entry)}, but there are ${order.length} rows and none for index ${missing}.`
    rows.drop(entry, { code: "positionGap", message })
  }
}
