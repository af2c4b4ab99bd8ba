import { fromHex } from "../crypto/hex.ts"
import type { Block } from "../ledger/ledger.ts"
import { indexOfFound } from "../ledger/replica/claims.ts"
import type { IndexedBatch } from "../ledger/replica/claims.ts"
import type { FleetState } from "../ledger/replica/fleetState.ts"
import { isIndexed } from "./anchor.ts"
import type { PlaceIndex } from "./anchor.ts"
import { placeRuns, unmarkedPlaceStatus } from "./placeStatus.ts"
import type { PlaceStatus } from "./placeStatus.ts"

/** What a table says of a place. Only `good` means good. */
export type TableStatus = PlaceStatus["status"]

export type StatusTableOptions = {
  /** Where bad news is read. */
  readonly head: FleetState
  /** Where good news is read; never newer than `head`. */
  readonly settled: FleetState
  /** Where credentials stand; without it only places can be asked about. */
  readonly places?: PlaceIndex
}

const WEIGHT = { good: 0, unknown: 1, onHold: 2, revoked: 3 } as const satisfies Record<TableStatus, number>

/**
 * The statuses of whole batches at one block, for millions of questions a second: decided once, looked up ever after.
 *
 * For credentials whose certificates were checked before: a table knows places and credential hashes, not signatures, validity
 * or device keys. What it says is what {@link placeStatus} says, and the marks of the credentials that `places` knows. Make a new
 * one when the head moves; that costs as much as there are marks.
 *
 * @throws KeyOwnerAmbiguousError from its answers, when two manufacturers proved possession of a batch's issuer key.
 */
export class StatusTable {
  readonly block: Block
  readonly #options: StatusTableOptions
  readonly #batches = new Map<number, Map<number, BatchStatuses>>()
  /** By the index's own batches, and whether the ledger has that very batch. */
  readonly #indexed = new Map<IndexedBatch, BatchStatuses>()

  constructor(options: StatusTableOptions) {
    this.#options = options
    this.block = options.head.block
  }

  /** The statuses of one batch: the fastest way to ask for many of its places. */
  batch(manufacturerId: number, series: number): BatchStatuses {
    let ofManufacturer = this.#batches.get(manufacturerId)
    if (ofManufacturer === undefined) {
      ofManufacturer = new Map()
      this.#markCredentials(manufacturerId, ofManufacturer)
      // Only now: where the marks could not all be set, the next question must not find a table that lacks some.
      this.#batches.set(manufacturerId, ofManufacturer)
    }
    let statuses = ofManufacturer.get(series)
    if (statuses === undefined) {
      statuses = decideBatch(this.#options, manufacturerId, series)
      ofManufacturer.set(series, statuses)
    }
    return statuses
  }

  /** Of a place. */
  statusAt(manufacturerId: number, series: number, index: number): TableStatus {
    return this.batch(manufacturerId, series).at(index)
  }

  /**
   * Of a credential, by its hash of 32 octets; `unknown` if it is in no batch of the index.
   *
   * @param manufacturerId Whose batches count. Default: all.
   * @throws HashLengthError
   */
  statusOf(credentialHash: Uint8Array, manufacturerId = 0): TableStatus {
    const { places } = this.#options
    if (places === undefined) return "unknown"
    const found = places.lookup(credentialHash, manufacturerId)
    const batch = places.batchOf(found)
    if (batch === undefined) return "unknown"
    const statuses = this.#indexed.get(batch) ?? this.#matchIndexed(batch)
    return statuses.at(indexOfFound(found))
  }

  #matchIndexed(indexed: IndexedBatch): BatchStatuses {
    const { manufacturerId, series } = indexed
    const batch = this.#options.head.batch(manufacturerId, series)
    // Of a batch that is not, or not any more, the one on the ledger nothing is known.
    const known = batch !== undefined && isIndexed(batch, indexed)
    const statuses = known ? this.batch(manufacturerId, series) : new BatchStatuses(0, "unknown")
    this.#indexed.set(indexed, statuses)
    return statuses
  }

  /** A mark whose event named no place bars the place where the index has the credential. */
  #markCredentials(manufacturerId: number, ofManufacturer: Map<number, BatchStatuses>): void {
    const { head, settled, places } = this.#options
    if (places === undefined) return
    for (const state of settled === head ? [head] : [head, settled]) {
      for (const { subject, mark } of state.records(manufacturerId)) {
        if (mark === "none") continue
        const found = places.lookup(fromHex(subject), manufacturerId)
        const indexed = places.batchOf(found)
        if (indexed === undefined) continue
        let statuses = ofManufacturer.get(indexed.series)
        if (statuses === undefined) {
          statuses = decideBatch(this.#options, manufacturerId, indexed.series)
          ofManufacturer.set(indexed.series, statuses)
        }
        statuses.bar(indexOfFound(found), mark === "held" ? "onHold" : "revoked")
      }
    }
  }
}

/** The statuses of one batch's places. */
export class BatchStatuses {
  readonly #size: number
  readonly #usual: TableStatus
  /** Which places are not as usual, a bit each. */
  readonly #others: Uint32Array
  readonly #statuses = new Map<number, TableStatus>()

  constructor(size: number, usual: TableStatus) {
    this.#size = size
    this.#usual = usual
    this.#others = new Uint32Array(Math.ceil(size / 32))
  }

  /** Of the place at `index`; `unknown` if the batch has none there. */
  at(index: number): TableStatus {
    if (index >>> 0 !== index || index >= this.#size) return "unknown"
    if ((((this.#others[index >>> 5] as number) >>> (index & 31)) & 1) === 0) return this.#usual
    return this.#statuses.get(index) ?? "unknown"
  }

  /** Says that a place is at least as bad as this. */
  bar(index: number, status: TableStatus): void {
    if (index >= this.#size || WEIGHT[status] <= WEIGHT[this.at(index)]) return
    ;(this.#others[index >>> 5] as number) |= 1 << (index & 31)
    this.#statuses.set(index, status)
  }
}

function decideBatch(options: StatusTableOptions, manufacturerId: number, series: number): BatchStatuses {
  const question = { head: options.head, settled: options.settled, manufacturerId, series }
  const size = options.head.batch(manufacturerId, series)?.size ?? 0
  const usual = unmarkedPlaceStatus(question).status
  const statuses = new BatchStatuses(size, usual)
  for (const { first, last, status } of placeRuns(question)) {
    if (status === usual) continue
    for (let index = first; index <= last; index++) statuses.bar(index, status)
  }
  return statuses
}
