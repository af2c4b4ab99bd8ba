import { toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { AbiValueInvalidError } from "../../errors/abi.ts"
import { headLength, isDynamic, parseParameters } from "./abiType.ts"
import type { AbiField, AbiType, Parameter } from "./abiType.ts"
import { isAddress } from "./address.ts"

const WORD_DIGITS = 64

/**
 * Values in the encoding that contracts take ("Contract ABI Specification", strict mode). Numbers may be `number` or `bigint`, octets
 * are hex, a tuple is an object or a list.
 *
 * @throws AbiValueInvalidError, AbiTypeUnsupportedError
 */
export function encodeParameters(parameters: readonly Parameter[], values: readonly unknown[]): Hex {
  if (values.length !== parameters.length) {
    throw new AbiValueInvalidError({ type: `${parameters.length} values`, found: String(values.length) })
  }
  return `0x${encodeFields(parseParameters(parameters), values)}`
}

/** Heads first, then what they point to, in order; as hexadecimal digits. */
function encodeFields(fields: readonly AbiField[], values: readonly unknown[]): string {
  let offset = fields.reduce((sum, { type }) => sum + headLength(type), 0)
  let heads = ""
  let tails = ""
  fields.forEach(({ type }, i) => {
    const encoded = encodeValue(type, values[i])
    if (!isDynamic(type)) heads += encoded
    else {
      heads += wordOf(offset)
      tails += encoded
      offset += encoded.length / 2
    }
  })
  return heads + tails
}

function encodeValue(type: AbiType, value: unknown): string {
  switch (type.kind) {
    case "uint":
    case "int":
      return encodeNumber(type.kind, type.bits, value)
    case "bool":
      if (typeof value !== "boolean") throw refusal("bool", value)
      return wordOf(value ? 1 : 0)
    case "address":
      if (typeof value !== "string" || !isAddress(value)) throw refusal("address", value)
      return value.slice(2).toLowerCase().padStart(WORD_DIGITS, "0")
    case "fixedBytes":
      return digitsOf(value, `bytes${type.length}`, type.length).padEnd(WORD_DIGITS, "0")
    case "bytes":
      return withLength(digitsOf(value, "bytes"))
    case "string":
      if (typeof value !== "string") throw refusal("string", value)
      return withLength(toHex(new TextEncoder().encode(value)).slice(2))
    case "array":
      return encodeArray(type, value)
    case "tuple":
    default:
      return encodeTuple(type.fields, value)
  }
}

function encodeNumber(kind: "uint" | "int", bits: number, value: unknown): string {
  const isWhole = typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value))
  if (!isWhole) throw refusal(`${kind}${bits}`, value)
  const number = BigInt(value)
  const [lowest, above] =
    kind === "uint" ? [0n, 1n << BigInt(bits)] : [-(1n << BigInt(bits - 1)), 1n << BigInt(bits - 1)]
  if (number < lowest || number >= above) throw refusal(`${kind}${bits}`, value)
  return wordOf(BigInt.asUintN(256, number))
}

function encodeArray({ element, count }: AbiType & { kind: "array" }, value: unknown): string {
  if (!Array.isArray(value)) throw refusal("a list", value)
  if (count !== undefined && value.length !== count) throw refusal(`a list of ${count}`, `one of ${value.length}`)
  const items = encodeFields(
    value.map(() => ({ name: "", type: element })),
    value,
  )
  return count === undefined ? wordOf(value.length) + items : items
}

function encodeTuple(fields: readonly AbiField[], value: unknown): string {
  if (typeof value !== "object" || value === null) throw refusal("a tuple", value)
  const isList = Array.isArray(value)
  if (isList && value.length !== fields.length) throw refusal(`a tuple of ${fields.length}`, `one of ${value.length}`)
  const named = value as Readonly<Record<string, unknown>>
  return encodeFields(
    fields,
    fields.map(({ name }, i) => (isList ? (value[i] as unknown) : named[name])),
  )
}

function digitsOf(value: unknown, type: string, length?: number): string {
  if (typeof value !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(value)) throw refusal(type, value)
  if (length !== undefined && value.length !== 2 + 2 * length) throw refusal(type, value)
  return value.slice(2).toLowerCase()
}

function withLength(digits: string): string {
  const padded = Math.ceil(digits.length / WORD_DIGITS) * WORD_DIGITS
  return wordOf(digits.length / 2) + digits.padEnd(padded, "0")
}

function wordOf(value: number | bigint): string {
  return value.toString(16).padStart(WORD_DIGITS, "0")
}

function refusal(type: string, value: unknown): AbiValueInvalidError {
  const found = typeof value === "number" || typeof value === "bigint" ? `${value}` : value
  return new AbiValueInvalidError({ type, found: typeof found === "string" ? found.slice(0, 80) : typeof value })
}
