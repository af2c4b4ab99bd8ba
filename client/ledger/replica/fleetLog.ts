import { FleetrootError } from "../../errors/base.ts"
import { LogImpossibleError } from "../../errors/replica.ts"
import type { Deployment } from "../deployment.ts"
import { DeviceFold } from "./foldDevices.ts"
import { FirmwareFold } from "./foldFirmware.ts"
import { ManufacturerFold } from "./foldManufacturers.ts"
import type { KeyFinding, Undo } from "./foldManufacturers.ts"
import type { FleetChange } from "./fleetState.ts"
import type { LogEntry, LoggedEvent } from "./logCodec.ts"
import { LogHeads } from "./logHeads.ts"
import type { NextHeads } from "./logHeads.ts"
import type { ReplicaBlock } from "./replicaStore.ts"

/** An entry that was read and checked, and what has to be known to take it in. */
export type ReadyEntry = {
  readonly entry: LogEntry
  readonly next: NextHeads
  /** Of a `KeyAdded`: the key, if its possession is proven. */
  readonly finding: KeyFinding
}

/** A block that has entries, and how many there are up to its end. */
export type EntryBlock = ReplicaBlock & { readonly end: number }

/**
 * All entries of all registries in the order of the chain, folded into what they add up to after any of them
 * (docs/decisions/0015). A state is no copy: it is a number of entries and a time.
 */
export class FleetLog {
  readonly manufacturers = new ManufacturerFold()
  readonly devices = new DeviceFold()
  readonly firmware = new FirmwareFold()
  readonly heads: LogHeads
  /** How many times entries were taken back. */
  undoings = 0
  readonly #blocks: EntryBlock[] = []
  /** How many entries were left, of each undoing. */
  readonly #left: number[] = []
  /** What takes back the entries from `#undoFrom` on, and what they changed. */
  #undo: { undo: Undo; changes: readonly FleetChange[] }[] = []
  #undoFrom = 0
  #length = 0

  constructor(deployment: Deployment) {
    this.heads = new LogHeads(deployment)
  }

  /** How many entries there are. */
  get length(): number {
    return this.#length
  }

  get blocks(): readonly EntryBlock[] {
    return this.#blocks
  }

  /**
   * @param final Whether the entry will never be taken back; then none before it will.
   * @throws LogImpossibleError, and nothing is changed.
   */
  append({ entry, next, finding }: ReadyEntry, final = false): void {
    const number = this.#length
    const undo = this.#apply(number, entry, finding)
    this.heads.push(number, entry, next)
    this.#length += 1
    if (final) this.settle(this.#length)
    else this.#undo.push({ undo, changes: this.changesOf(entry) })
    const end = this.#length
    const last = this.#blocks.at(-1)
    if (last?.number === entry.block) this.#blocks[this.#blocks.length - 1] = { ...last, end }
    else this.#blocks.push({ number: entry.block, hash: entry.blockHash, timestamp: entry.timestamp, end })
  }

  /** How many entries stand in blocks up to this one. */
  countUpTo(block: number): number {
    return this.#lastBlock(({ number }) => number <= block)?.end ?? 0
  }

  /** The last block with entries whose time is at or before `time`. */
  blockAtTime(time: number): EntryBlock | undefined {
    return this.#lastBlock(({ timestamp }) => timestamp <= time)
  }

  /** What the entries from `from` to before `to` changed; none of them may be final. */
  changes(from: number, to: number): FleetChange[] {
    return this.#undo.slice(Math.max(0, from - this.#undoFrom), to - this.#undoFrom).flatMap(({ changes }) => changes)
  }

  /** Takes back all but the first `count` entries: none of those may be final. */
  truncate(count: number): void {
    if (count >= this.#length) return
    if (count < this.#undoFrom) throw new RangeError(`entries up to ${this.#undoFrom} are final`)
    for (const { undo } of this.#undo.slice(count - this.#undoFrom).reverse()) undo()
    this.#undo.length = count - this.#undoFrom
    this.heads.truncate(count)
    this.#length = count
    this.undoings += 1
    this.#left.push(count)
    for (let last = this.#blocks.at(-1); last !== undefined && last.end > count; last = this.#blocks.at(-1)) {
      this.#blocks.pop()
      const start = this.#blocks.at(-1)?.end ?? 0
      if (start < count) this.#blocks.push({ ...last, end: count })
    }
  }

  /** Whether the first `count` entries are still those that they were before the last undoings, from number `since` on. */
  keeps(count: number, since: number): boolean {
    for (let i = since; i < this.#left.length; i++) if ((this.#left[i] as number) < count) return false
    return true
  }

  /** The first `count` entries will never be taken back. */
  settle(count: number): void {
    if (count <= this.#undoFrom) return
    if (this.#undo.length > 0) this.#undo = this.#undo.slice(count - this.#undoFrom)
    this.#undoFrom = count
  }

  #apply(number: number, entry: LogEntry, finding: KeyFinding): Undo {
    const { event, manufacturerId, sequence, block } = entry
    const refuse = (what: string): never => {
      throw new LogImpossibleError({ event: event.name, manufacturerId, sequence, block, what })
    }
    try {
      switch (event.contract) {
        case "manufacturers":
          return this.manufacturers.apply(number, entry, event, finding, refuse)
        case "devices":
          return this.devices.apply(number, entry, event, refuse)
        case "firmware":
          return this.firmware.apply(number, entry, event, refuse)
      }
    } catch (error) {
      if (error instanceof FleetrootError && !(error instanceof LogImpossibleError)) return refuse(error.message)
      throw error
    }
  }

  /** What an entry changed that was just taken in. */
  changesOf({ event, manufacturerId }: LogEntry): FleetChange[] {
    if (event.contract !== "devices" || !("subject" in event.args)) return [changeOf(event, manufacturerId)]
    const { subject } = event.args
    const places = this.devices.placesNamed(manufacturerId, subject)
    return [
      { kind: "subject", manufacturerId, subject },
      ...places.map(({ series, index }) => ({
        kind: "places" as const,
        manufacturerId,
        series,
        first: index,
        last: index,
      })),
    ]
  }

  #lastBlock(accepts: (block: EntryBlock) => boolean): EntryBlock | undefined {
    let [low, high] = [0, this.#blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (accepts(this.#blocks[middle] as EntryBlock)) low = middle + 1
      else high = middle
    }
    return this.#blocks[low - 1]
  }
}

function changeOf({ contract, name, args }: LoggedEvent, manufacturerId: number): FleetChange {
  if (contract === "manufacturers" && "keyIndex" in args)
    return { kind: "key", manufacturerId, keyIndex: args.keyIndex }
  if (contract === "firmware" && "product" in args) return { kind: "release", manufacturerId, product: args.product }
  if (name === "WordRevoked") {
    const { series, word, bits } = args
    const text = bits.toString(2)
    const [first, last] = [text.length - 1 - text.lastIndexOf("1"), text.length - 1]
    return { kind: "places", manufacturerId, series, first: 256 * word + first, last: 256 * word + last }
  }
  if (name === "CredentialRegistered") return { kind: "subject", manufacturerId, subject: args.credentialHash }
  if (contract === "devices" && "series" in args) return { kind: "batch", manufacturerId, series: args.series }
  return { kind: "manufacturer", manufacturerId }
}
