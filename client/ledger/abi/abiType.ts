import type { AbiParameter } from "viem"
import { AbiTypeUnsupportedError } from "../../errors/abi.ts"

/** A type whose values take one word. */
export type WordType =
  | { readonly kind: "uint" | "int"; readonly bits: number }
  | { readonly kind: "address" | "bool" }
  | { readonly kind: "fixedBytes"; readonly length: number }

/** A type of the contract ABI, taken apart. */
export type AbiType =
  | WordType
  | { readonly kind: "bytes" }
  | { readonly kind: "string" }
  | { readonly kind: "array"; readonly element: AbiType; readonly count: number | undefined }
  | { readonly kind: "tuple"; readonly fields: readonly AbiField[] }

/** A part of a tuple; a list of parameters is a tuple too. */
export type AbiField = { readonly name: string; readonly type: AbiType }

/** What is written of a parameter in an ABI. */
export type Parameter = Pick<AbiParameter, "type" | "name"> & { readonly components?: readonly Parameter[] }

const ARRAY = /^(.+)\[([1-9]\d*)?\]$/
const NUMBER = /^(u?int)(\d{1,3})?$/
const FIXED_BYTES = /^bytes([1-9]\d?)$/

/** @throws AbiTypeUnsupportedError */
export function parseParameters(parameters: readonly Parameter[]): readonly AbiField[] {
  return parameters.map((parameter) => ({ name: parameter.name ?? "", type: parseType(parameter) }))
}

function parseType({ type, components = [] }: Parameter): AbiType {
  const [, inner, count] = ARRAY.exec(type) ?? []
  if (inner !== undefined) {
    const element = parseType({ type: inner, components })
    return { kind: "array", element, count: count === undefined ? undefined : Number(count) }
  }
  const [, number, digits = "256"] = NUMBER.exec(type) ?? []
  if (number !== undefined) {
    const bits = Number(digits)
    if (bits % 8 === 0 && bits >= 8 && bits <= 256) return { kind: number as "uint" | "int", bits }
  }
  const length = Number(FIXED_BYTES.exec(type)?.[1] ?? 0)
  if (length > 0 && length <= 32) return { kind: "fixedBytes", length }
  if (type === "address" || type === "bool" || type === "bytes" || type === "string") return { kind: type }
  // Without fields it would take no room, and a list of them could be as long as it likes.
  if (type === "tuple" && components.length > 0) return { kind: "tuple", fields: parseParameters(components) }
  throw new AbiTypeUnsupportedError({ type })
}

/** Whether a value's length depends on the value, so that its place holds only the offset of it. */
export function isDynamic(type: AbiType): boolean {
  if (type.kind === "array") return type.count === undefined || isDynamic(type.element)
  if (type.kind === "tuple") return type.fields.some((field) => isDynamic(field.type))
  return type.kind === "bytes" || type.kind === "string"
}

/** The same parameters with `bytes` for every `string`: encoded alike. */
export function textAsOctets(parameters: readonly Parameter[]): Parameter[] {
  return parameters.map((parameter) => ({
    ...parameter,
    type: parameter.type.replace(/^string/, "bytes"),
    ...(parameter.components === undefined ? {} : { components: textAsOctets(parameter.components) }),
  }))
}
