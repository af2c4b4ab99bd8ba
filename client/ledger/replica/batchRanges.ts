import { BatchIndexFullError } from "../../errors/mirror.ts"
import { NOT_INDEXED, ordinalOfFound, toFound } from "./claims.ts"
import type { IndexedBatch } from "./claims.ts"

/** Ordinals share 53 bits with an index of 32. */
const MAX_BATCHES = 2 ** 21

/** Numbers all places of many batches through: those of one batch follow each other, and each batch follows the one before. */
export class BatchRanges {
  /** The first place of each batch, and one past the last place of all. */
  readonly #starts: number[] = [0]
  /** undefined once it was forgotten: its numbers are not used again. */
  readonly #batches: (IndexedBatch | undefined)[] = []
  readonly #numbers = new Map<string, number>()
  #devices = 0

  /** Places of the batches that count. */
  get devices(): number {
    return this.#devices
  }

  /** One past the last place. */
  get end(): number {
    return this.#starts.at(-1) as number
  }

  *batches(): Generator<IndexedBatch> {
    for (const batch of this.#batches) if (batch !== undefined) yield batch
  }

  batch(manufacturerId: number, series: number): IndexedBatch | undefined {
    const number = this.#numbers.get(keyOf(manufacturerId, series))
    return number === undefined ? undefined : this.#batches[number]
  }

  /**
   * A batch of the same series is forgotten.
   *
   * @throws {@link BatchIndexFullError}
   */
  append(batch: IndexedBatch): IndexedBatch {
    const number = this.#batches.length
    if (number === MAX_BATCHES) throw new BatchIndexFullError({ limit: `${MAX_BATCHES} batches` })
    this.forget(batch.manufacturerId, batch.series)
    this.#starts.push(this.end + batch.size)
    this.#batches.push(batch)
    this.#numbers.set(keyOf(batch.manufacturerId, batch.series), number)
    this.#devices += batch.size
    return batch
  }

  forget(manufacturerId: number, series: number): IndexedBatch | undefined {
    const key = keyOf(manufacturerId, series)
    const number = this.#numbers.get(key)
    if (number === undefined) return undefined
    const batch = this.#batches[number] as IndexedBatch
    this.#batches[number] = undefined
    this.#numbers.delete(key)
    this.#devices -= batch.size
    return batch
  }

  /** The batch's ordinal and the index of a place, in one number; {@link NOT_INDEXED} if no batch (of this manufacturer, where one is named) has it. */
  find(place: number, manufacturerId: number): number {
    const starts = this.#starts
    let low = 0
    let high = starts.length - 1
    if (place >= (starts[high] as number)) return NOT_INDEXED
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) <= place) low = middle
      else high = middle
    }
    const batch = this.#batches[low]
    if (batch === undefined || (manufacturerId !== 0 && batch.manufacturerId !== manufacturerId)) return NOT_INDEXED
    return toFound(low, place - (starts[low] as number))
  }

  /** The batch that {@link find} found. */
  at(found: number): IndexedBatch | undefined {
    return found < 0 ? undefined : this.#batches[ordinalOfFound(found)]
  }
}

function keyOf(manufacturerId: number, series: number): string {
  return `${manufacturerId}/${series}`
}
