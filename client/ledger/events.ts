import type { Abi } from "viem"
import { FleetrootError } from "../errors/base.ts"
import { ReplyMalformedError, RpcRejectedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { abiItem } from "./abi/abiItem.ts"
import { decodeEvent, encodeTopics } from "./abi/eventData.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"
import { parseHash, parseQuantity } from "./rpcBlock.ts"

/** A decoded event of one of the registries. */
export type LedgerEvent = {
  readonly eventName: string
  readonly args: Readonly<Record<string, unknown>>
  readonly blockNumber: number
  readonly blockHash: Hex
  readonly logIndex: number
  readonly transactionHash: Hex
}

export type EventQuery = {
  readonly abi: Abi
  readonly address: Hex
  readonly eventName: string
  /** Values of indexed parameters; the others match anything. */
  readonly args?: Readonly<Record<string, unknown>>
  readonly fromBlock: number
  readonly toBlock: number
}

/** Nodes limit the blocks or the logs of one answer, each in its own words; below this many blocks it is not that. */
const SMALLEST_RANGE = 16

/**
 * Reads the events of one kind in a range of blocks, in order; halves the range where the node finds it too large.
 *
 * @throws ReplyMalformedError when an event is not what was asked for.
 */
export async function readEvents(rpc: JsonRpc, query: EventQuery): Promise<LedgerEvent[]> {
  const topics = encodeTopics(abiItem(query.abi, "event", query.eventName), query.args ?? {})
  const events: LedgerEvent[] = []
  let from = query.fromBlock
  let span = query.toBlock - query.fromBlock + 1
  while (from <= query.toBlock) {
    const to = Math.min(from + span - 1, query.toBlock)
    try {
      const filter = { address: query.address, topics, fromBlock: hexNumber(from), toBlock: hexNumber(to) }
      const reply = await rpc.request({ method: "eth_getLogs", params: [filter] })
      if (!Array.isArray(reply)) {
        throw new ReplyMalformedError({ what: "eth_getLogs", expected: "an array", found: typeof reply })
      }
      for (const log of reply) events.push(parseEvent(log, query, from, to))
      from = to + 1
    } catch (error) {
      if (!(error instanceof FleetrootError) || !(error instanceof RpcRejectedError) || span <= SMALLEST_RANGE)
        throw error
      span = Math.ceil(span / 2)
    }
  }
  return events.sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex)
}

function parseEvent(log: unknown, query: EventQuery, from: number, to: number): LedgerEvent {
  const { address, topics, data, blockNumber, blockHash, logIndex, transactionHash, removed } = (log ?? {}) as Record<
    string,
    unknown
  >
  const what = `event ${query.eventName}`
  if (typeof address !== "string" || address.toLowerCase() !== query.address || removed === true) {
    throw new ReplyMalformedError({ what, expected: `a log of ${query.address}`, found: String(address) })
  }
  const number = parseQuantity(blockNumber, `${what}: blockNumber`)
  if (number < from || number > to) {
    throw new ReplyMalformedError({ what, expected: `a block from ${from} to ${to}`, found: String(number) })
  }
  if (!Array.isArray(topics) || typeof data !== "string") {
    throw new ReplyMalformedError({ what, expected: "topics and data", found: typeof topics })
  }
  let args: Record<string, unknown>
  try {
    args = decodeEvent(abiItem(query.abi, "event", query.eventName), topics, data as Hex)
  } catch (cause) {
    const expected = "the event's canonical ABI encoding"
    throw new ReplyMalformedError({ what, expected, found: data.slice(0, 74), cause })
  }
  if (Object.entries(query.args ?? {}).some(([name, value]) => String(args[name]) !== String(value))) {
    throw new ReplyMalformedError({ what, expected: "an event that fits the filter", found: data.slice(0, 74) })
  }
  return {
    eventName: query.eventName,
    args,
    blockNumber: number,
    blockHash: parseHash(blockHash, `${what}: blockHash`),
    logIndex: parseQuantity(logIndex, `${what}: logIndex`),
    transactionHash: parseHash(transactionHash, `${what}: transactionHash`),
  }
}

/** A block number or quantity as JSON-RPC writes it. */
export function hexNumber(value: number | bigint): Hex {
  return `0x${value.toString(16)}`
}
