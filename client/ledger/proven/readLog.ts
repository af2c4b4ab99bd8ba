import type { ContractName } from "../deployment.ts"
import type { Interest } from "../ledger.ts"
import { batchRead, coreRead, keyRead, profileRead, recordRead, wordsRead } from "./reads.ts"
import type { StorageRead } from "./reads.ts"
import type { Wanted } from "./provenState.ts"

/** Beyond this many the oldest are forgotten. */
const CAPACITY = 4_096

/** What earlier answers taught about where things are. Only guesses about what to ask for: nothing of it is believed. */
export class ReadLog {
  readonly #keyIndexes = new Map<string, number>()
  readonly #texts = new Map<bigint, readonly bigint[]>()

  learnKeyIndex(manufacturerId: number, series: number, keyIndex: number): void {
    remember(this.#keyIndexes, `${manufacturerId}:${series}`, keyIndex)
  }

  learnText(slot: bigint, slots: readonly bigint[]): void {
    remember(this.#texts, slot, slots)
  }

  /** The slots that an answer about this will read. The key index of a batch is what was seen before, else 1. */
  plan({ manufacturerId, place, subjects = [], keyIndex }: Interest): Wanted {
    const profile = profileRead(manufacturerId)
    const index =
      keyIndex ?? (place === undefined ? 1 : (this.#keyIndexes.get(`${manufacturerId}:${place.series}`) ?? 1))
    const reads: StorageRead<unknown>[] = [
      coreRead(manufacturerId, 0),
      profile,
      keyRead(manufacturerId, index),
      ...subjects.map((subject) => recordRead(manufacturerId, subject)),
    ]
    if (place !== undefined) {
      const { series } = place
      reads.push(batchRead(manufacturerId, series))
      reads.push(wordsRead(manufacturerId, series, Math.floor(place.index / 256), 1))
    }
    const wanted = new Map<ContractName, bigint[]>([
      ["manufacturers", profile.slots.flatMap((slot) => this.#texts.get(slot) ?? [])],
    ])
    for (const { contract, slots } of reads) {
      wanted.set(contract, [...new Set([...(wanted.get(contract) ?? []), ...slots])])
    }
    return wanted
  }
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > CAPACITY && oldest !== undefined) map.delete(oldest)
}
