import type { Abi, AbiEvent, GetEventArgs } from "viem"
import { deviceRegistryAbi } from "../../abi/DeviceRegistry.ts"
import { firmwareRegistryAbi } from "../../abi/FirmwareRegistry.ts"
import { manufacturerRegistryAbi } from "../../abi/ManufacturerRegistry.ts"
import { fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { keccak256 } from "../../crypto/keccak256.ts"
import { LogMalformedError } from "../../errors/replica.ts"
import { topicOf } from "../abi/abiItem.ts"
import type { LoggedContract } from "../ledger.ts"
import type { ReplicaRow } from "./replicaStore.ts"

const ABIS = {
  manufacturers: manufacturerRegistryAbi,
  devices: deviceRegistryAbi,
  firmware: firmwareRegistryAbi,
} as const satisfies Record<LoggedContract, Abi>

/** The first parameters of each entry's event, in this order. An event without them is no part of the log. */
const LOG_PARAMETERS = ["manufacturerId", "sequence", "timestamp"] as const

type Abis = typeof ABIS
type EventOf<abi extends Abi> = Extract<abi[number], { type: "event"; inputs: readonly { name: string }[] }>
type LoggedName<abi extends Abi> = Extract<
  EventOf<abi>,
  { inputs: readonly [{ name: "manufacturerId" }, { name: "sequence" }, { name: "timestamp" }, ...unknown[]] }
>["name"]
type ArgsOf<abi extends Abi, name extends LoggedName<abi>> = Omit<
  GetEventArgs<abi, name, { EnableUnion: false; IndexedOnly: false; Required: true }>,
  (typeof LOG_PARAMETERS)[number]
>

/** Which event an entry of the log is, and what it says beyond what all entries say. */
export type LoggedEvent = {
  [contract in LoggedContract]: {
    [name in LoggedName<Abis[contract]>]: {
      readonly contract: contract
      readonly name: name
      readonly args: Readonly<ArgsOf<Abis[contract], name>>
    }
  }[LoggedName<Abis[contract]>]
}[LoggedContract]

/** An entry of a registry's log (docs/formats.md, "Log entries and heads"), and where it stands on the chain. */
export type LogEntry = {
  readonly event: LoggedEvent
  readonly manufacturerId: number
  readonly sequence: number
  /** Unix seconds. */
  readonly timestamp: number
  /** Keccak-256 of the entry. */
  readonly hash: Uint8Array
  readonly block: number
  readonly blockHash: Hex
}

type Kind = "uint" | "bytes32" | "bool" | "address" | "bytes" | "string"
type Parameter = {
  readonly name: string
  readonly kind: Kind
  /** Octets of a number. */
  readonly width: number
  /** Which topic it is; 0: it stands in the data. */
  readonly topic: number
}
type Plan = {
  readonly name: string
  readonly parameters: readonly Parameter[]
  readonly topics: number
  /** Octets of the data before what has no fixed length. */
  readonly fixed: number
}

/** Made when the first log is read: it takes some milliseconds, and most programs read none. */
const plans: Partial<Record<LoggedContract, ReadonlyMap<Hex, Plan | "notLogged">>> = {}

/**
 * Reads what a registry emitted; undefined for the few events that are no part of its log. Nothing but the one canonical encoding
 * (Solidity's "Contract ABI Specification", strict mode) is read.
 *
 * @throws LogMalformedError
 */
export function decodeEntry(row: ReplicaRow): LogEntry | undefined {
  const { contract, topics, data, block, blockHash } = row
  const refuse = (expected: string, found: string): never => {
    throw new LogMalformedError({ where: `Log ${row.logIndex} of block ${block}`, block, expected, found })
  }
  const topic0 = toHex(topics.subarray(0, 32))
  const plan = (plans[contract] ??= plansOf(ABIS[contract])).get(topic0)
  if (plan === undefined) return refuse(`an event of ${contract}`, topic0)
  if (plan === "notLogged") return undefined
  if (topics.length !== 32 * (1 + plan.topics)) refuse(`${plan.topics} topics`, `${topics.length / 32 - 1}`)
  if (data.length < plan.fixed) refuse(`${plan.fixed} octets of ${plan.name} or more`, String(data.length))

  const entry = memoryOf(32 * (1 + plan.parameters.length) + data.length - plan.fixed)
  entry.set(topics.subarray(0, 32))
  const args: Record<string, unknown> = {}
  const head: number[] = []
  let offset = 0
  let tail = plan.fixed
  for (let i = 0; i < plan.parameters.length; i++) {
    const parameter = plan.parameters[i] as Parameter
    let word: Uint8Array
    if (parameter.topic > 0) word = topics.subarray(32 * parameter.topic, 32 * parameter.topic + 32)
    else {
      word = data.subarray(offset, offset + 32)
      offset += 32
    }
    const place = 32 * (1 + i)
    if (parameter.kind === "bytes" || parameter.kind === "string") {
      const content = tailAt(data, word, tail)
      if (content === undefined) return refuse(`${plan.name}.${parameter.name} in canonical encoding`, toHex(word))
      // In the entry the fixed part is longer: topics stand in it too, and the selector.
      writeUint(entry, place, tail - plan.fixed + 32 * (1 + plan.parameters.length))
      tail += 32 + 32 * Math.ceil(content.length / 32)
      args[parameter.name] = parameter.kind === "bytes" ? toHex(content) : new TextDecoder().decode(content)
    } else {
      const inRange = isClean(word, 32 - parameter.width) && (parameter.kind !== "bool" || (word[31] as number) <= 1)
      if (!inRange) refuse(`${plan.name}.${parameter.name} in its range`, toHex(word))
      entry.set(word, place)
      if (i < LOG_PARAMETERS.length) head.push(readUint(word))
      else args[parameter.name] = valueOf(parameter, word)
    }
  }
  if (tail !== data.length) refuse(`${tail} octets of ${plan.name}`, String(data.length))
  entry.set(data.subarray(plan.fixed), 32 * (1 + plan.parameters.length))

  const [manufacturerId, sequence, timestamp] = head as [number, number, number]
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(timestamp)) {
    refuse("a sequence number and a time", `${sequence} and ${timestamp}`)
  }
  const event = { contract, name: plan.name, args } as unknown as LoggedEvent
  return { event, manufacturerId, sequence, timestamp, hash: keccak256(entry), block, blockHash }
}

/** The content that a word of the fixed part leads to, if it stands right at `tail` with its length and clean padding. */
function tailAt(data: Uint8Array, word: Uint8Array, tail: number): Uint8Array | undefined {
  if (!isClean(word, 26) || readUint(word) !== tail || tail + 32 > data.length) return undefined
  const lengthWord = data.subarray(tail, tail + 32)
  const length = readUint(lengthWord)
  const end = tail + 32 + 32 * Math.ceil(length / 32)
  if (!isClean(lengthWord, 26) || end > data.length) return undefined
  const padding = data.subarray(tail + 32 + length, end)
  return padding.every((octet) => octet === 0) ? data.subarray(tail + 32, tail + 32 + length) : undefined
}

function valueOf({ kind, width }: Parameter, word: Uint8Array): unknown {
  if (kind === "bytes32") return toHex(word)
  if (kind === "address") return toHex(word.subarray(12))
  if (kind === "bool") return readUint(word) === 1
  return width <= 6 ? readUint(word) : BigInt(toHex(word))
}

/** Whether the first octets of a word are zero. */
function isClean(word: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (word[i] !== 0) return false
  return true
}

/** The number in a word whose value fits a double; a larger one comes out larger than any safe integer. */
function readUint(word: Uint8Array): number {
  let first = 0
  while (first < 32 && word[first] === 0) first += 1
  let value = 0
  for (let i = first; i < 32; i++) value = value * 256 + (word[i] as number)
  return value
}

function writeUint(bytes: Uint8Array, offset: number, value: number): void {
  let rest = value
  for (let i = offset + 31; rest > 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

function plansOf(abi: Abi): Map<Hex, Plan | "notLogged"> {
  const events = abi.filter((item): item is AbiEvent => item.type === "event")
  return new Map(events.map((event) => [topicOf(event), planOf(event)]))
}

function planOf({ name, inputs }: AbiEvent): Plan | "notLogged" {
  if (!LOG_PARAMETERS.every((wanted, i) => inputs[i]?.name === wanted)) return "notLogged"
  let topics = 0
  const parameters = inputs.map((input): Parameter => {
    if (input.indexed === true) topics += 1
    return { name: input.name ?? "", ...kindOf(input.type), topic: input.indexed === true ? topics : 0 }
  })
  return { name, parameters, topics, fixed: 32 * (parameters.length - topics) }
}

function kindOf(type: string): { kind: Kind; width: number } {
  const bits = /^uint(\d+)$/.exec(type)?.[1]
  if (bits !== undefined) return { kind: "uint", width: Number(bits) / 8 }
  switch (type) {
    case "bool":
      return { kind: "bool", width: 1 }
    case "address":
      return { kind: "address", width: 20 }
    case "bytes32":
      return { kind: "bytes32", width: 32 }
    case "bytes":
    case "string":
      return { kind: type, width: 32 }
    default:
      throw new TypeError(`the registries' events have no ${type}`)
  }
}

let memory = new Uint8Array(1024)

/** Zeros to write into what is hashed next: the same memory each time, since a new piece of it costs as much as its hash. */
function memoryOf(length: number): Uint8Array {
  if (length > memory.length) memory = new Uint8Array(2 * length)
  return memory.subarray(0, length).fill(0)
}

/** The first head of a manufacturer's log; of manufacturer 0 also the first global head. */
export function genesisHead(chainId: number, registry: Hex, manufacturerId: number): Uint8Array {
  const words = memoryOf(96)
  writeUint(words, 0, chainId)
  words.set(fromHex(registry), 32 + 12)
  writeUint(words, 64, manufacturerId)
  return keccak256(words)
}

/** The head of a manufacturer's log after an entry. */
export function nextHead(head: Uint8Array, entryHash: Uint8Array): Uint8Array {
  const words = memoryOf(64)
  words.set(head)
  words.set(entryHash, 32)
  return keccak256(words)
}

/** The head over all logs of a registry after the head of one of them changed. */
export function nextGlobalHead(globalHead: Uint8Array, manufacturerId: number, head: Uint8Array): Uint8Array {
  const words = memoryOf(96)
  words.set(globalHead)
  writeUint(words, 32, manufacturerId)
  words.set(head, 64)
  return keccak256(words)
}
