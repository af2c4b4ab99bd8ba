import { fromHex } from "../../crypto/hex.ts"
import {
  EndpointStatusError,
  EndpointTimeoutError,
  ReplyMalformedError,
  ReplyTooLargeError,
  RpcRejectedError,
} from "../../errors/ledger.ts"
import { LogBlockMismatchError, LogMalformedError, LogSourceBehindError } from "../../errors/replica.ts"
import type { Deployment } from "../deployment.ts"
import { hexNumber } from "../events.ts"
import type { LoggedContract } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { parseHash, parseQuantity, parseRpcBlock } from "../rpcBlock.ts"
import { loggedContracts } from "./logHeads.ts"
import type { ReplicaBlock, ReplicaRow } from "./replicaStore.ts"

/** The logs of some blocks, and the last one of these. */
export type ReadRange = { readonly rows: readonly ReplicaRow[]; readonly end: ReplicaBlock }

const FIRST_SPAN = 10_000
const LARGEST_SPAN = 1_000_000
/** An answer with fewer logs could well have been larger. */
const FEW_LOGS = 2_000
/** A node that is too slow for this many ranges in a row, each half of the one before, is not too slow for the range. */
const MOST_TIMEOUTS = 3
/** No registry's event comes near it. */
const MOST_DATA = 64 * 1024

/** Reads all logs of the registries in ranges of blocks, as large as the node likes. */
export class LogReader {
  readonly #rpc: JsonRpc
  readonly #contracts: ReadonlyMap<string, LoggedContract>
  #span = FIRST_SPAN
  /** This many blocks were too many. */
  #tooMany = Number.POSITIVE_INFINITY

  constructor(deployment: Deployment, rpc: JsonRpc) {
    this.#rpc = rpc
    this.#contracts = new Map(
      loggedContracts(deployment).map((contract) => [deployment.contracts[contract]?.address ?? "", contract]),
    )
  }

  /**
   * The logs from a block on, up to and including `target`, which the node must have by its hash.
   *
   * @throws LogMalformedError, LogBlockMismatchError, LogSourceBehindError and the endpoint's errors.
   */
  async *read(from: number, target: ReplicaBlock, signal?: AbortSignal): AsyncGenerator<ReadRange> {
    let timeouts = 0
    for (let first = from; first <= target.number;) {
      signal?.throwIfAborted()
      const span = Math.min(this.#span, target.number - first + 1)
      try {
        const range = await this.#readRange(first, first + span - 1, target)
        yield range
        first += span
        timeouts = 0
        if (range.rows.length < FEW_LOGS && span === this.#span) this.#grow()
      } catch (error) {
        if (error instanceof EndpointTimeoutError) timeouts += 1
        if (!isTooLarge(error) || span === 1 || timeouts > MOST_TIMEOUTS) throw error
        this.#tooMany = span
        this.#span = Math.ceil(span / 2)
      }
    }
  }

  #grow(): void {
    const span = Math.min(this.#span * 2, LARGEST_SPAN)
    if (span < this.#tooMany) this.#span = span
  }

  async #readRange(from: number, to: number, target: ReplicaBlock): Promise<ReadRange> {
    const filter = { address: [...this.#contracts.keys()], fromBlock: hexNumber(from), toBlock: hexNumber(to) }
    const [logs, last] = await this.#rpc.requestMany([
      { method: "eth_getLogs", params: [filter] },
      { method: "eth_getBlockByNumber", params: [hexNumber(to), false] },
    ])
    const end = parseRpcBlock(last)
    if (end?.number !== to || (to === target.number && end.hash !== target.hash)) {
      const found = end === undefined ? "none" : `block ${end.number} (${end.hash})`
      throw new LogSourceBehindError({ endpoint: this.#rpc.endpoint, block: to, hash: target.hash, found })
    }
    if (!Array.isArray(logs)) {
      throw new ReplyMalformedError({ what: "eth_getLogs", expected: "an array", found: typeof logs })
    }
    const rows = logs.map((log) => this.#parse(log, from, to))
    for (const { block, blockHash } of rows) {
      if (block === to && blockHash !== end.hash) {
        throw new LogBlockMismatchError({ block, expected: end.hash, found: blockHash })
      }
    }
    const { number, hash, timestamp } = end
    return { rows, end: { number, hash, timestamp } }
  }

  #parse(log: unknown, from: number, to: number): ReplicaRow {
    const { address, topics, data, blockNumber, blockHash, logIndex, removed } = (log ?? {}) as Record<string, unknown>
    const refuse = (expected: string, found: unknown): never => {
      const text = typeof found === "string" ? found : (JSON.stringify(found) ?? "nothing")
      throw new LogMalformedError({ where: "A log", expected, found: text.slice(0, 80) })
    }
    const contract = typeof address === "string" ? this.#contracts.get(address.toLowerCase()) : undefined
    if (contract === undefined) return refuse("one of a registry", address)
    if (removed === true) refuse("one of this chain", "one that was removed")
    const block = parseQuantity(blockNumber, "a log's blockNumber")
    if (block < from || block > to) refuse(`one of blocks ${from} to ${to}`, String(block))
    if (typeof data !== "string" || data.length > 2 * MOST_DATA + 2) refuse("data of a registry's size", data)
    return {
      block,
      blockHash: parseHash(blockHash, "a log's blockHash"),
      logIndex: parseQuantity(logIndex, "a log's logIndex"),
      contract,
      topics: topicBytes(topics, refuse),
      data: bytesOf(data, refuse),
    }
  }
}

function topicBytes(topics: unknown, refuse: (expected: string, found: unknown) => never): Uint8Array {
  if (!Array.isArray(topics) || topics.length < 1 || topics.length > 4) return refuse("one to four topics", topics)
  const bytes = new Uint8Array(32 * topics.length)
  for (const [i, topic] of topics.entries()) {
    const octets = bytesOf(topic, refuse)
    if (octets.length !== 32) refuse("topics of 32 octets", topic)
    bytes.set(octets, 32 * i)
  }
  return bytes
}

function bytesOf(hex: unknown, refuse: (expected: string, found: unknown) => never): Uint8Array {
  if (typeof hex !== "string" || !/^0x(?:[0-9a-fA-F]{2})*$/.test(hex)) return refuse("hexadecimal data", hex)
  return fromHex(hex)
}

/** Nodes limit the blocks, the logs, the size or the time of one answer, each in its own words. */
function isTooLarge(error: unknown): boolean {
  return (
    error instanceof RpcRejectedError ||
    error instanceof ReplyTooLargeError ||
    error instanceof EndpointTimeoutError ||
    (error instanceof EndpointStatusError && error.status === 413)
  )
}
