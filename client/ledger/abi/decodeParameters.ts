import { toHex } from "../../crypto/hex.ts"
import { AbiDataInvalidError } from "../../errors/abi.ts"
import { headLength, isDynamic, parseParameters } from "./abiType.ts"
import type { AbiField, AbiType, Parameter, WordType } from "./abiType.ts"
import { checksumAddress } from "./address.ts"

const WORD = 32
/** Numbers of up to so many bits are of type `number`, all others `bigint`: what viem's types say. */
const MOST_NUMBER_BITS = 48

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** A value, and where what comes after it begins. */
type Read<T> = { readonly value: T; readonly end: number }

/**
 * The values in what a contract returned or logged. Only the one canonical encoding is read ("Contract ABI Specification", strict
 * mode), so encoding the values again gives the same octets: every number is in its type's range, padding is zero, what a head
 * points to stands right where it must, and nothing is behind the end.
 *
 * @throws AbiDataInvalidError, AbiTypeUnsupportedError
 */
export function decodeParameters(parameters: readonly Parameter[], data: Uint8Array): unknown[] {
  const { value, end } = readFields(parseParameters(parameters), data, 0)
  if (end !== data.length)
    throw new AbiDataInvalidError({ at: end, expected: "the end", found: `${data.length - end} octets` })
  return value
}

function readFields(fields: readonly AbiField[], data: Uint8Array, start: number): Read<unknown[]> {
  let head = start
  let tail = fields.reduce((sum, { type }) => sum + headLength(type), start)
  const value = fields.map(({ type }) => {
    if (!isDynamic(type)) {
      const read = readValue(type, data, head)
      head = read.end
      return read.value
    }
    const offset = readCount(data, head)
    if (offset !== tail - start) throw refusal(head, `offset ${tail - start}`, data)
    const read = readValue(type, data, tail)
    head += WORD
    tail = read.end
    return read.value
  })
  return { value, end: tail }
}

function readValue(type: AbiType, data: Uint8Array, at: number): Read<unknown> {
  if (type.kind === "array") return readArray(type, data, at)
  if (type.kind === "tuple") {
    const { value, end } = readFields(type.fields, data, at)
    return { value: tupleOf(type.fields, value), end }
  }
  if (type.kind === "bytes" || type.kind === "string") {
    const { value, end } = readBytes(data, at)
    return { value: type.kind === "bytes" ? toHex(value) : textOf(value, at), end }
  }
  return { value: readWord(type, data, at), end: at + WORD }
}

/** What fits one word. */
function readWord(type: WordType, data: Uint8Array, at: number): unknown {
  const word = wordAt(data, at)
  switch (type.kind) {
    case "bool":
      if (!isFilled(word, 0, 31, 0) || (word[31] as number) > 1) throw refusal(at, "0 or 1", data)
      return word[31] === 1
    case "address":
      if (!isFilled(word, 0, 12, 0)) throw refusal(at, "an address", data)
      return checksumAddress(toHex(word.subarray(12)))
    case "fixedBytes":
      if (!isFilled(word, type.length, WORD, 0)) throw refusal(at, `${type.length} octets and zeros`, data)
      return toHex(word.subarray(0, type.length))
    case "uint":
    case "int":
    default:
      return readNumber(type, data, at)
  }
}

function readNumber({ kind, bits }: { kind: "uint" | "int"; bits: number }, data: Uint8Array, at: number): unknown {
  const word = wordAt(data, at)
  const first = WORD - bits / 8
  const isNegative = kind === "int" && (word[first] as number) >= 0x80
  if (!isFilled(word, 0, first, isNegative ? 0xff : 0)) throw refusal(at, `${kind}${bits}`, data)
  const value = BigInt(toHex(word.subarray(first)))
  const signed = isNegative ? BigInt.asIntN(bits, value) : value
  return bits <= MOST_NUMBER_BITS ? Number(signed) : signed
}

function readArray({ element, count }: AbiType & { kind: "array" }, data: Uint8Array, at: number): Read<unknown[]> {
  const start = count === undefined ? at + WORD : at
  const length = count ?? readCount(data, at)
  // Each takes room, so a length beyond what is left costs nothing.
  if (length * headLength(element) > data.length - start) throw refusal(at, "a list that fits", data)
  return readFields(
    Array.from({ length }, () => ({ name: "", type: element })),
    data,
    start,
  )
}

function readBytes(data: Uint8Array, at: number): Read<Uint8Array> {
  const length = readCount(data, at)
  const start = at + WORD
  const end = start + Math.ceil(length / WORD) * WORD
  if (end > data.length) throw refusal(at, "a length within what is left", data)
  if (!isFilled(data, start + length, end, 0)) throw refusal(at, "zeros behind the octets", data)
  return { value: data.subarray(start, start + length), end }
}

/** A length or an offset. */
function readCount(data: Uint8Array, at: number): number {
  const word = wordAt(data, at)
  if (!isFilled(word, 0, 26, 0)) throw refusal(at, "a length or offset", data)
  return word.subarray(26).reduce((sum, octet) => sum * 256 + octet, 0)
}

function textOf(octets: Uint8Array, at: number): string {
  try {
    return utf8.decode(octets)
  } catch (cause) {
    throw new AbiDataInvalidError({ at, expected: "UTF-8", found: toHex(octets.subarray(0, WORD)), cause })
  }
}

/** An object where all fields have names, else a list. */
function tupleOf(fields: readonly AbiField[], values: readonly unknown[]): unknown {
  if (fields.some(({ name }) => name === "")) return values
  return Object.fromEntries(fields.map(({ name }, i) => [name, values[i]]))
}

function wordAt(data: Uint8Array, at: number): Uint8Array {
  if (at + WORD > data.length) {
    throw new AbiDataInvalidError({ at, expected: `${WORD} octets`, found: `${Math.max(0, data.length - at)}` })
  }
  return data.subarray(at, at + WORD)
}

function isFilled(octets: Uint8Array, from: number, to: number, octet: number): boolean {
  for (let i = from; i < to; i++) if (octets[i] !== octet) return false
  return true
}

function refusal(at: number, expected: string, data: Uint8Array): AbiDataInvalidError {
  return new AbiDataInvalidError({ at, expected, found: toHex(data.subarray(at, at + WORD)) })
}
