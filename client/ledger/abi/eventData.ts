import type { AbiEvent } from "viem"
import { concatBytes, fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { AbiDataInvalidError } from "../../errors/abi.ts"
import { topicOf } from "./abiItem.ts"
import { isDynamic, parseParameters } from "./abiType.ts"
import type { Parameter } from "./abiType.ts"
import { decodeParameters } from "./decodeParameters.ts"
import { encodeParameters } from "./encodeParameters.ts"

/**
 * The topics that an event has whose indexed parameters have these values; null for one that may have any.
 *
 * @throws AbiValueInvalidError, AbiTypeUnsupportedError
 */
export function encodeTopics(event: AbiEvent, args: Readonly<Record<string, unknown>>): (Hex | null)[] {
  const topics = indexedOf(event).map((input) => {
    const value = args[input.name ?? ""]
    return value === undefined ? null : encodeParameters([topicType(input)], [value])
  })
  return [topicOf(event), ...topics]
}

/**
 * The values of an event's parameters by their names. Nothing but the one canonical encoding is read.
 *
 * @throws AbiDataInvalidError, AbiTypeUnsupportedError
 */
export function decodeEvent(event: AbiEvent, topics: readonly unknown[], data: Hex): Record<string, unknown> {
  const indexed = indexedOf(event)
  const [first, ...words] = topics.map(topicOctets)
  const own = topicOf(event)
  if (first === undefined || toHex(first) !== own) {
    throw new AbiDataInvalidError({ at: 0, expected: `topic ${own}`, found: String(topics[0]) })
  }
  const plain = event.inputs.filter((input) => input.indexed !== true)
  const values = new Map<Parameter, unknown>()
  decodeParameters(indexed.map(topicType), concatBytes(...words)).forEach((value, i) => {
    values.set(indexed[i] as Parameter, value)
  })
  decodeParameters(plain, fromHex(data)).forEach((value, i) => {
    values.set(plain[i] as Parameter, value)
  })
  return Object.fromEntries(event.inputs.map((input) => [input.name ?? "", values.get(input)]))
}

function indexedOf(event: AbiEvent): readonly Parameter[] {
  return event.inputs.filter((input) => input.indexed === true)
}

function topicOctets(topic: unknown): Uint8Array {
  if (typeof topic === "string" && /^0x[0-9a-fA-F]{64}$/.test(topic)) return fromHex(topic)
  throw new AbiDataInvalidError({ at: 0, expected: "topics of 32 octets", found: String(topic).slice(0, 80) })
}

/** Of what does not fit a word, the topic is the hash. */
function topicType(input: Parameter): Parameter {
  const [field] = parseParameters([input])
  const isHashed = field === undefined || isDynamic(field.type) || ["array", "tuple"].includes(field.type.kind)
  return isHashed ? { name: input.name, type: "bytes32" } : input
}
