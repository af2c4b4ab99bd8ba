import type { CryptoBackend } from "../../crypto/types.ts"
import { LogBlockMismatchError, LogImpossibleError, LogMalformedError } from "../../errors/replica.ts"
import { FleetrootError } from "../../errors/base.ts"
import type { Deployment } from "../deployment.ts"
import { provenRegistration } from "../keyEvents.ts"
import type { LoggedContract } from "../ledger.ts"
import type { FleetLog, ReadyEntry } from "./fleetLog.ts"
import type { KeyFinding } from "./foldManufacturers.ts"
import { decodeEntry } from "./logCodec.ts"
import type { LogEntry } from "./logCodec.ts"
import { HeadsAhead } from "./logHeads.ts"
import type { ReplicaBlock, ReplicaRow } from "./replicaStore.ts"

/**
 * Entries that were read and are not part of the log yet: each is of canonical form, the next one of its manufacturer's log, and
 * in a block that fits those around it. Whether they are what the ledger has, only a comparison of `heads` can tell.
 */
export class EntriesAhead {
  readonly heads: HeadsAhead
  /** How many entries of the log these follow. */
  readonly base: number
  readonly ready: ReadyEntry[] = []
  readonly #deployment: Deployment
  readonly #crypto: CryptoBackend
  readonly #log: FleetLog
  #last: { block: number; logIndex: number; blockHash: string } | undefined
  #time: { block: number; timestamp: number } | undefined

  constructor(options: { deployment: Deployment; crypto: CryptoBackend; log: FleetLog; base: number }) {
    this.#deployment = options.deployment
    this.#crypto = options.crypto
    this.#log = options.log
    this.base = options.base
    this.heads = new HeadsAhead(options.log.heads, options.base)
  }

  /** @throws LogMalformedError, LogSequenceError, LogBlockMismatchError, LogImpossibleError */
  async take(rows: readonly ReplicaRow[]): Promise<void> {
    for (const row of rows) {
      const entry = decodeEntry(row)
      this.#place(row, entry?.timestamp)
      if (entry === undefined) continue
      const next = this.heads.push(entry)
      const { event } = entry
      const finding = event.name === "KeyAdded" ? await this.#finding(entry, event.args) : undefined
      this.ready.push({ entry, next, finding })
    }
  }

  /** The head over all logs of a registry at the end of a block. */
  globalHeadAt(block: number, contract: LoggedContract): Uint8Array {
    for (let i = this.ready.length - 1; i >= 0; i--) {
      const { entry, next } = this.ready[i] as ReadyEntry
      if (entry.block <= block && entry.event.contract === contract) return next.globalHead
    }
    const count = Math.min(this.base, this.#log.countUpTo(block))
    return this.#log.heads.globalAfter(count, contract)
  }

  /** The blocks above `number` that have entries, by what their logs say of them. */
  blocksAbove(number: number): ReplicaBlock[] {
    const blocks = new Map<number, ReplicaBlock>()
    for (const { entry } of this.ready) {
      if (entry.block <= number) continue
      blocks.set(entry.block, { number: entry.block, hash: entry.blockHash, timestamp: entry.timestamp })
    }
    return [...blocks.values()]
  }

  /** Logs come in the order of the chain, and all of a block are of one hash and one time. */
  #place({ block, logIndex, blockHash }: ReplicaRow, timestamp: number | undefined): void {
    const [last, time] = [this.#last, this.#time]
    const refuse = (expected: string, found: string): never => {
      throw new LogMalformedError({ where: `Log ${logIndex} of block ${block}`, block, expected, found })
    }
    if (last !== undefined) {
      if (block < last.block || (block === last.block && logIndex <= last.logIndex)) {
        refuse(`a place after log ${last.logIndex} of block ${last.block}`, "one before it")
      }
      if (block === last.block && blockHash !== last.blockHash) {
        throw new LogBlockMismatchError({ block, expected: last.blockHash, found: blockHash })
      }
    }
    this.#last = { block, logIndex, blockHash }
    if (timestamp === undefined) return
    if (time?.block === block && timestamp !== time.timestamp) refuse(`the time ${time.timestamp}`, String(timestamp))
    if (time !== undefined && timestamp < time.timestamp) {
      refuse(`the time ${time.timestamp} or a later one`, String(timestamp))
    }
    this.#time = { block, timestamp }
  }

  async #finding(
    { manufacturerId, sequence, block }: LogEntry,
    args: Omit<Parameters<typeof provenRegistration>[2], "manufacturerId">,
  ): Promise<KeyFinding> {
    try {
      return await provenRegistration(this.#deployment, this.#crypto, { ...args, manufacturerId })
    } catch (error) {
      if (!(error instanceof FleetrootError)) throw error
      throw new LogImpossibleError({ event: "KeyAdded", manufacturerId, sequence, block, what: error.message })
    }
  }
}
