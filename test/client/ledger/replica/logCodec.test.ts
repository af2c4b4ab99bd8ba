import { decodeEventLog, encodeAbiParameters, encodeEventTopics, keccak256 } from "viem/utils"
import type { Abi, AbiEvent } from "viem"
import { describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../../client/abi/DeviceRegistry.ts"
import { firmwareRegistryAbi } from "../../../../client/abi/FirmwareRegistry.ts"
import { manufacturerRegistryAbi } from "../../../../client/abi/ManufacturerRegistry.ts"
import { concatBytes, fromHex, toHex } from "../../../../client/crypto/hex.ts"
import type { Hex } from "../../../../client/crypto/hex.ts"
import { LogMalformedError } from "../../../../client/errors/replica.ts"
import { decodeEntry, genesisHead, nextGlobalHead, nextHead } from "../../../../client/ledger/replica/logCodec.ts"
import type { ReplicaRow } from "../../../../client/ledger/replica/replicaStore.ts"
import type { LoggedContract } from "../../../../client/ledger/ledger.ts"
import { pseudoRandom } from "../../../contracts/helpers/stage.ts"

const ABIS = { manufacturers: manufacturerRegistryAbi, devices: deviceRegistryAbi, firmware: firmwareRegistryAbi }
const ROUNDS = 12

const EVENTS = (Object.keys(ABIS) as LoggedContract[]).flatMap((contract) =>
  (ABIS[contract] as Abi)
    .filter((item): item is AbiEvent => item.type === "event")
    .map((event) => ({ contract, event, name: `${contract}: ${event.name}` })),
)
const LOGGED = EVENTS.filter(({ event }) => event.inputs[0]?.name === "manufacturerId")

const random = pseudoRandom("log entries")

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256))
}

/** Small, large and in between, within the type. */
function valueOf(type: string): unknown {
  const bits = Number(/^uint(\d+)$/.exec(type)?.[1] ?? 0)
  if (bits > 0) {
    const largest = (1n << BigInt(bits)) - 1n
    const value = [0n, 1n, largest, BigInt(toHex(bytes(bits / 8)))][random(4)] as bigint
    return bits <= 48 ? Number(value) : value
  }
  switch (type) {
    case "bool":
      return random(2) === 1
    case "address":
      return toHex(bytes(20))
    case "bytes32":
      return toHex(bytes(32))
    case "bytes":
      return toHex(bytes(random(100)))
    default:
      return "añ🙂 ".repeat(random(30))
  }
}

/** A log of an event, made by viem; sequence and time within what a ledger can have. */
function makeLog({ contract, event }: (typeof EVENTS)[number]): { row: ReplicaRow; values: unknown[] } {
  const values = event.inputs.map(({ name, type }) =>
    name === "sequence" || name === "timestamp" ? BigInt(random(2 ** 31)) : valueOf(type),
  )
  const args = Object.fromEntries(event.inputs.map(({ name }, i) => [name, values[i]]))
  const topics = encodeEventTopics({ abi: [event], eventName: event.name, args }) as Hex[]
  const plain = event.inputs.flatMap((input, i) => (input.indexed === true ? [] : [{ input, value: values[i] }]))
  const data = encodeAbiParameters(
    plain.map(({ input }) => input),
    plain.map(({ value }) => value),
  )
  const row = {
    block: 7,
    blockHash: toHex(bytes(32)),
    logIndex: 3,
    contract,
    topics: concatBytes(...topics.map((topic) => fromHex(topic))),
    data: fromHex(data),
  }
  return { row, values }
}

function topicsOf(row: ReplicaRow): [Hex, ...Hex[]] {
  const count = row.topics.length / 32
  return Array.from({ length: count }, (_, i) => toHex(row.topics.subarray(32 * i, 32 * i + 32))) as [Hex, ...Hex[]]
}

describe("decodeEntry", () => {
  it.each(LOGGED)("reads $name as viem does, and hashes it by the rule of docs/formats.md", (one) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { row, values } = makeLog(one)
      const entry = decodeEntry(row)
      const told = decodeEventLog({ abi: [one.event], topics: topicsOf(row), data: toHex(row.data) })
      const { manufacturerId, sequence, timestamp, ...args } = told.args as unknown as Record<string, unknown>
      const lowered = Object.fromEntries(
        Object.entries(args).map(([name, value]) => {
          const isAddress = one.event.inputs.some((input) => input.name === name && input.type === "address")
          return [name, isAddress ? String(value).toLowerCase() : value]
        }),
      )
      const encoded = encodeAbiParameters([{ type: "bytes32" }, ...one.event.inputs], [
        topicsOf(row)[0],
        ...values,
      ] as never)

      expect(entry).toEqual({
        event: { contract: one.contract, name: one.event.name, args: lowered },
        manufacturerId,
        sequence: Number(sequence),
        timestamp: Number(timestamp),
        hash: fromHex(keccak256(encoded)),
        block: 7,
        blockHash: row.blockHash,
      })
    }
  })

  it("passes over what is no entry", () => {
    const others = EVENTS.filter((one) => !LOGGED.includes(one))
    expect(others.map(({ event }) => event.name)).toContain("AuthorityUpdated")
    for (const one of others) expect(decodeEntry(makeLog(one).row)).toBeUndefined()
  })

  it.each(LOGGED)("takes no second encoding of $name for the same", (one) => {
    for (let round = 0; round < 4 * ROUNDS; round++) {
      const { row } = makeLog(one)
      const honest = decodeEntry(row)
      const changed = mutate(row)
      let found
      try {
        found = decodeEntry(changed)
      } catch (error) {
        expect(error).toBeInstanceOf(LogMalformedError)
        continue
      }
      const same = toHex(changed.topics) === toHex(row.topics) && toHex(changed.data) === toHex(row.data)
      expect(toHex(found?.hash ?? new Uint8Array()) === toHex(honest?.hash ?? new Uint8Array())).toBe(same)
    }
  })
})

/** One octet another, or some at the end too few or too many. */
function mutate(row: ReplicaRow): ReplicaRow {
  const [topics, data] = [row.topics.slice(), row.data.slice()]
  switch (random(5)) {
    case 0:
      return { ...row, data: data.subarray(0, Math.max(0, data.length - 1 - random(40))) }
    case 1:
      return { ...row, data: concatBytes(data, new Uint8Array(1 + random(40))) }
    case 2:
      return { ...row, topics: topics.subarray(0, topics.length - 32) }
    case 3:
      topics[random(topics.length)] = random(256)
      return { ...row, topics }
    default:
      if (data.length > 0) data[random(data.length)] = random(256)
      return { ...row, data }
  }
}

describe("the heads of a log", () => {
  const word = (value: bigint | number): string => BigInt(value).toString(16).padStart(64, "0")

  it("are made as docs/formats.md says", () => {
    const registry = `0x${"5f".repeat(20)}` as const
    const head = genesisHead(31_337, registry, 7)
    expect(toHex(head)).toBe(keccak256(`0x${word(31_337)}${word(BigInt(registry))}${word(7)}`))
    const entry = bytes(32)
    expect(toHex(nextHead(head, entry))).toBe(keccak256(toHex(concatBytes(head, entry))))
    const global = bytes(32)
    expect(toHex(nextGlobalHead(global, 2 ** 32 - 1, head))).toBe(
      keccak256(`${toHex(global)}${word(2 ** 32 - 1)}${toHex(head).slice(2)}`),
    )
  })
})
