import { decodeEventLog, encodeAbiParameters, keccak256 } from "viem"
import type { Abi, AbiEvent, Address, Hex } from "viem"

/** One entry of a registry's log, as its event told it. */
export type LogEntry = {
  name: string
  topic: Hex
  manufacturerId: number
  sequence: bigint
  timestamp: bigint
  /** Every parameter, in declared order. */
  values: readonly unknown[]
  args: Readonly<Record<string, unknown>>
  inputs: AbiEvent["inputs"]
}

export type Heads = {
  global: Hex
  /** By manufacturer id; 0 is the registry itself. */
  logs: ReadonlyMap<number, { head: Hex; length: bigint }>
}

/** What two parties that were told different histories find out. */
export class ReplayError extends Error {
  override name = "ReplayError" as const
}

/** Reads a registry's entries from raw logs; events that start otherwise belong to no log. */
export function readEntries(abi: Abi, logs: readonly { topics: readonly Hex[]; data: Hex }[]): LogEntry[] {
  return logs.flatMap(({ topics, data }) => {
    const decoded = decodeEventLog({ abi, topics: topics as [Hex, ...Hex[]], data })
    const event = abi.find((item): item is AbiEvent => item.type === "event" && item.name === decoded.eventName)
    if (event === undefined || event.inputs[0]?.name !== "manufacturerId") return []
    const args = decoded.args as unknown as Record<string, unknown>
    return {
      name: event.name,
      topic: topics[0] as Hex,
      manufacturerId: Number(args["manufacturerId"]),
      sequence: args["sequence"] as bigint,
      timestamp: args["timestamp"] as bigint,
      values: event.inputs.map(({ name }) => args[name ?? ""]),
      args,
      inputs: event.inputs,
    }
  })
}

/** Rebuilds the heads from the entries alone, knowing of no event in particular. @throws ReplayError */
export function rebuildHeads(entries: readonly LogEntry[], registry: Address, chainId: number): Heads {
  const logs = new Map<number, { head: Hex; length: bigint }>()
  let global = firstHead(registry, chainId, 0)
  for (const { topic, manufacturerId, sequence, values, inputs } of entries) {
    const known = logs.get(manufacturerId) ?? { head: firstHead(registry, chainId, manufacturerId), length: 0n }
    if (sequence !== known.length + 1n) {
      throw new ReplayError(`manufacturer ${manufacturerId}: entry ${sequence} follows entry ${known.length}`)
    }
    const entry = encodeAbiParameters([{ type: "bytes32" }, ...inputs], [topic, ...values])
    const head = keccak256(encodeAbiParameters(TWO_WORDS, [known.head, keccak256(entry)]))
    logs.set(manufacturerId, { head, length: sequence })
    global = keccak256(
      encodeAbiParameters(
        [{ type: "bytes32" }, { type: "uint32" }, { type: "bytes32" }],
        [global, manufacturerId, head],
      ),
    )
  }
  return { global, logs }
}

const TWO_WORDS = [{ type: "bytes32" }, { type: "bytes32" }] as const

function firstHead(registry: Address, chainId: number, manufacturerId: number): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: "uint256" }, { type: "address" }, { type: "uint32" }],
      [BigInt(chainId), registry, manufacturerId],
    ),
  )
}
