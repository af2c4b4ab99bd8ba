import * as AbiParameters from "ox/AbiParameters"
import { toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { AbiValueInvalidError } from "../../errors/abi.ts"
import { parseParameters, textAsOctets } from "./abiType.ts"
import type { AbiField, AbiType, Parameter } from "./abiType.ts"

/**
 * Values in the encoding that contracts take ("Contract ABI Specification", strict mode). Numbers may be `number` or `bigint`, octets
 * are hex, a tuple is an object or a list.
 *
 * @throws AbiValueInvalidError, AbiTypeUnsupportedError
 */
export function encodeParameters(parameters: readonly Parameter[], values: readonly unknown[]): Hex {
  const exact = valuesOf(parseParameters(parameters), values)
  try {
    return AbiParameters.encode(textAsOctets(parameters), exact, { checksumAddress: true })
  } catch (cause) {
    const type = parameters.map((parameter) => parameter.type).join(", ")
    throw new AbiValueInvalidError({ type, found: values.map(describe).join(", "), cause })
  }
}

function valuesOf(fields: readonly AbiField[], values: readonly unknown[]): unknown[] {
  if (values.length !== fields.length) {
    throw new AbiValueInvalidError({ type: `${fields.length} values`, found: String(values.length) })
  }
  return fields.map(({ type }, i) => exactValue(type, values[i]))
}

/** The library takes texts for numbers and anything for octets; here a value is of its type or it is refused. */
function exactValue(type: AbiType, value: unknown): unknown {
  switch (type.kind) {
    case "uint":
    case "int":
      if (typeof value === "bigint" || Number.isSafeInteger(value)) return value
      throw refusal(`${type.kind}${type.bits}`, value)
    case "address":
      if (typeof value === "string") return value
      throw refusal("address", value)
    case "bytes":
    case "fixedBytes":
      if (typeof value === "string" && /^0x([0-9a-fA-F]{2})*$/.test(value)) return value.toLowerCase()
      throw refusal("hexadecimal octets", value)
    case "string":
      if (typeof value === "string") return toHex(new TextEncoder().encode(value))
      throw refusal("string", value)
    case "array":
      if (Array.isArray(value)) return value.map((item) => exactValue(type.element, item))
      throw refusal("a list", value)
    case "tuple":
      return exactTuple(type.fields, value)
    case "bool":
    default:
      return value
  }
}

function exactTuple(fields: readonly AbiField[], value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) throw refusal("a tuple", value)
  if (Array.isArray(value)) return valuesOf(fields, value)
  const named = value as Readonly<Record<string, unknown>>
  return valuesOf(
    fields,
    fields.map(({ name }) => named[name]),
  )
}

function refusal(type: string, value: unknown): AbiValueInvalidError {
  return new AbiValueInvalidError({ type, found: describe(value) })
}

function describe(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return `${value}`
  return typeof value === "string" ? value.slice(0, 80) : typeof value
}
