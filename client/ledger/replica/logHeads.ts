import { LogSequenceError } from "../../errors/replica.ts"
import type { Deployment } from "../deployment.ts"
import type { LoggedContract } from "../ledger.ts"
import { Bytes32List } from "./bytes32List.ts"
import { genesisHead, nextGlobalHead, nextHead } from "./logCodec.ts"
import type { LogEntry } from "./logCodec.ts"
import { countBelow } from "./versions.ts"

/** The heads after an entry: of its manufacturer's log, and over all logs of its registry. */
export type NextHeads = { readonly head: Uint8Array; readonly globalHead: Uint8Array }

/** The heads that one chain of entries went through. */
class HeadHistory {
  readonly genesis: Uint8Array
  readonly #entries: number[] = []
  readonly #heads = new Bytes32List()

  constructor(genesis: Uint8Array) {
    this.genesis = genesis
  }

  push(entry: number, head: Uint8Array): void {
    this.#entries.push(entry)
    this.#heads.push(head)
  }

  truncate(count: number): void {
    this.#entries.length = countBelow(this.#entries, count)
    this.#heads.truncate(this.#entries.length)
  }

  /** After the first `count` entries of the whole log. */
  after(count: number): { head: Uint8Array; length: number } {
    const length = countBelow(this.#entries, count)
    return { head: this.#heads.at(length - 1) ?? this.genesis, length }
  }
}

/** All heads of all registries, after every entry. */
export class LogHeads {
  readonly #deployment: Deployment
  readonly #logs = new Map<LoggedContract, Map<number, HeadHistory>>()
  readonly #global = new Map<LoggedContract, HeadHistory>()

  constructor(deployment: Deployment) {
    this.#deployment = deployment
    for (const contract of loggedContracts(deployment)) {
      this.#logs.set(contract, new Map())
      this.#global.set(contract, new HeadHistory(this.#genesis(contract, 0)))
    }
  }

  push(entry: number, { event: { contract }, manufacturerId }: LogEntry, next: NextHeads): void {
    const logs = this.#logs.get(contract) as Map<number, HeadHistory>
    let log = logs.get(manufacturerId)
    if (log === undefined) {
      log = new HeadHistory(this.#genesis(contract, manufacturerId))
      logs.set(manufacturerId, log)
    }
    log.push(entry, next.head)
    this.#global.get(contract)?.push(entry, next.globalHead)
  }

  /** Forgets all entries but the first `count`. */
  truncate(count: number): void {
    for (const log of this.#global.values()) log.truncate(count)
    for (const logs of this.#logs.values()) for (const log of logs.values()) log.truncate(count)
  }

  /** A manufacturer's log after the first `count` entries. */
  after(count: number, contract: LoggedContract, manufacturerId: number): { head: Uint8Array; length: number } {
    const log = this.#logs.get(contract)?.get(manufacturerId)
    return log?.after(count) ?? { head: this.#genesis(contract, manufacturerId), length: 0 }
  }

  globalAfter(count: number, contract: LoggedContract): Uint8Array {
    return this.#global.get(contract)?.after(count).head ?? this.#genesis(contract, 0)
  }

  /** The manufacturers that have entries, 0 being the registry itself. */
  manufacturersOf(contract: LoggedContract): number[] {
    return [...(this.#logs.get(contract)?.keys() ?? [])]
  }

  #genesis(contract: LoggedContract, manufacturerId: number): Uint8Array {
    const deployed = this.#deployment.contracts[contract]
    const registry = deployed?.address ?? (`0x${"00".repeat(20)}` as const)
    return genesisHead(this.#deployment.chainId, registry, manufacturerId)
  }
}

/** Heads beyond those that are kept: of entries that were read but not compared with the ledger yet. */
export class HeadsAhead {
  readonly #base: LogHeads
  readonly #count: number
  readonly #logs = new Map<string, { head: Uint8Array; length: number }>()
  readonly #global = new Map<LoggedContract, Uint8Array>()

  /** @param count How many entries of `base` these go on from. */
  constructor(base: LogHeads, count: number) {
    this.#base = base
    this.#count = count
  }

  /** The heads after one more entry. @throws LogSequenceError unless it is the next one of its log. */
  push({ event: { contract }, manufacturerId, sequence, block, hash }: LogEntry): NextHeads {
    const log = this.of(contract, manufacturerId)
    const expected = log.length + 1
    if (sequence !== expected) {
      throw new LogSequenceError({ contract, manufacturerId, expected, found: sequence, block })
    }
    const head = nextHead(log.head, hash)
    const globalHead = nextGlobalHead(this.global(contract), manufacturerId, head)
    this.#logs.set(`${contract}:${manufacturerId}`, { head, length: sequence })
    this.#global.set(contract, globalHead)
    return { head, globalHead }
  }

  of(contract: LoggedContract, manufacturerId: number): { head: Uint8Array; length: number } {
    const ahead = this.#logs.get(`${contract}:${manufacturerId}`)
    return ahead ?? this.#base.after(this.#count, contract, manufacturerId)
  }

  global(contract: LoggedContract): Uint8Array {
    return this.#global.get(contract) ?? this.#base.globalAfter(this.#count, contract)
  }

  /** The manufacturers of {@link LogHeads.manufacturersOf} and those whose first entry is ahead. */
  manufacturersOf(contract: LoggedContract): number[] {
    const ahead = [...this.#logs.keys()].filter((key) => key.startsWith(`${contract}:`))
    const ids = [...this.#base.manufacturersOf(contract), ...ahead.map((key) => Number(key.split(":")[1]))]
    return [...new Set(ids)].sort((a, b) => a - b)
  }
}

/** The registries that a deployment has. */
export function loggedContracts({ contracts }: Deployment): LoggedContract[] {
  return contracts.firmware === undefined ? ["manufacturers", "devices"] : ["manufacturers", "devices", "firmware"]
}
