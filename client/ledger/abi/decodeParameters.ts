import * as AbiParameters from "ox/AbiParameters"
import { fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { AbiDataInvalidError } from "../../errors/abi.ts"
import { parseParameters, textAsOctets } from "./abiType.ts"
import type { AbiField, AbiType, Parameter } from "./abiType.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * The values in what a contract returned or logged. Only the one canonical encoding is read ("Contract ABI Specification", strict
 * mode): what was read is encoded again, and must give the same octets.
 *
 * @throws AbiDataInvalidError, AbiTypeUnsupportedError
 */
export function decodeParameters(parameters: readonly Parameter[], data: Uint8Array): unknown[] {
  const fields = parseParameters(parameters)
  const types = textAsOctets(parameters)
  const { values, again } = read(types, data)
  const at = firstDifference(data, again)
  if (at !== undefined) {
    const [expected, found] = [again, data].map((octets) => toHex(octets.subarray(at, at + 32)))
    throw new AbiDataInvalidError({ at, expected: expected as Hex, found: found as Hex })
  }
  return fields.map(({ type }, i) => withText(type, values[i]))
}

function read(types: readonly Parameter[], data: Uint8Array): { values: readonly unknown[]; again: Uint8Array } {
  try {
    const values = AbiParameters.decode<readonly Parameter[]>(types, data, { checksumAddress: true })
    return { values, again: fromHex(AbiParameters.encode(types, values)) }
  } catch (cause) {
    const found = toHex(data.subarray(0, 32))
    throw new AbiDataInvalidError({ at: 0, expected: types.map(({ type }) => type).join(", "), found, cause })
  }
}

/** Texts were read as octets, of which the library would drop a byte order mark and leading zeros. */
function withText(type: AbiType, value: unknown): unknown {
  switch (type.kind) {
    case "string":
      return textOf(value as Hex)
    case "array":
      return (value as readonly unknown[]).map((item) => withText(type.element, item))
    case "tuple":
      return tupleWithText(type.fields, value as readonly unknown[] | Readonly<Record<string, unknown>>)
    case "uint":
    case "int":
    case "bool":
    case "address":
    case "bytes":
    case "fixedBytes":
    default:
      return value
  }
}

function tupleWithText(
  fields: readonly AbiField[],
  value: readonly unknown[] | Readonly<Record<string, unknown>>,
): unknown {
  if (Array.isArray(value)) return fields.map(({ type }, i) => withText(type, value[i]))
  const named = value as Readonly<Record<string, unknown>>
  return Object.fromEntries(fields.map(({ name, type }) => [name, withText(type, named[name])]))
}

function textOf(octets: Hex): string {
  try {
    return utf8.decode(fromHex(octets))
  } catch (cause) {
    throw new AbiDataInvalidError({ at: 0, expected: "UTF-8", found: octets.slice(0, 66), cause })
  }
}

function firstDifference(one: Uint8Array, other: Uint8Array): number | undefined {
  const length = Math.max(one.length, other.length)
  for (let i = 0; i < length; i++) if (one[i] !== other[i]) return i
  return undefined
}
