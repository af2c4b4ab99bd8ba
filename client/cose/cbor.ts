import { Simple, Tag, cdeDecodeOptions, cdeEncodeOptions, decode, encode } from "cbor2"
import { CborError, CborValueError } from "../errors/cose.ts"
import { MAX_CBOR_DEPTH, assertStrictCbor } from "./strictCbor.ts"
import type { StrictCborOptions } from "./strictCbor.ts"

export type { StrictCborOptions } from "./strictCbor.ts"

/** A tagged item: `tag` and `contents`. Tags are never interpreted: a date or a bignum stays a CborTag. */
export const CborTag = Tag
export type CborTag = Tag

/** What CBOR decodes to. Integers beyond 2^53-1 are `bigint`; maps are always `Map`. */
export type CborValue =
  number | bigint | string | boolean | null | undefined | Uint8Array | CborArray | CborMap | CborTag | Simple

export type CborArray = readonly CborValue[]
export type CborMap = ReadonlyMap<CborValue, CborValue>

/** Narrows to an array. */
export function isCborArray(value: CborValue): value is CborArray {
  return Array.isArray(value)
}

/** Narrows to a map. */
export function isCborMap(value: CborValue): value is CborMap {
  return value instanceof Map
}

/**
 * Decodes one CBOR item in strict form. Nothing in the result shares memory with `bytes`.
 *
 * @throws a named child of {@link CborError} for each cause
 */
export function decodeCbor(bytes: Uint8Array, options: StrictCborOptions = {}): CborValue {
  assertStrictCbor(bytes, options)
  const copy = new Uint8Array(bytes) // never a Buffer: the decoder would hand out Buffers
  const { sorted = true } = options
  try {
    return decode<CborValue>(copy, {
      ...cdeDecodeOptions,
      sortKeys: sorted ? (cdeDecodeOptions.sortKeys ?? null) : null,
      rejectDuplicateKeys: true,
      preferMap: true,
      ignoreGlobalTags: true,
      maxDepth: 2 * (MAX_CBOR_DEPTH + 1), // it counts an array twice
    })
  } catch (cause) {
    // The check above and the decoder disagree: refuse.
    throw new CborError("The CBOR decoder refused these bytes.", {
      offset: 0,
      hint: "The bytes are not in strict form.",
      docs: "docs/errors.md#cbor",
      cause,
    })
  }
}

/**
 * Encodes in the one deterministic form of RFC 8949, 4.2.1. What it returns, `decodeCbor` accepts.
 *
 * @throws {@link CborValueError} for a value without such a form. Other children of {@link CborError} when the result
 *   is too large, too deep or has a key twice
 */
export function encodeCbor(value: CborValue, options: Omit<StrictCborOptions, "sorted"> = {}): Uint8Array {
  const plain = toPlain(value, 0)
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(encode(plain, { ...cdeEncodeOptions, rejectDuplicateKeys: false }))
  } catch (cause) {
    throw new CborValueError("The value cannot be encoded as CBOR.", cause)
  }
  assertStrictCbor(bytes, options)
  return bytes
}

/** The same value made of plain Uint8Array, Array and Map only, so that the encoder meets no surprises. */
function toPlain(value: CborValue, depth: number): CborValue {
  if (depth > MAX_CBOR_DEPTH) throw new CborValueError(`The value nests deeper than ${MAX_CBOR_DEPTH} levels.`)
  if (typeof value === "string" && !value.isWellFormed()) throw new CborValueError("A string has a lone surrogate.")
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new CborValueError(`${value} is beyond 2^53: pass a bigint.`)
  }
  if (typeof value === "bigint" && (value >= 2n ** 64n || value < -(2n ** 64n))) {
    throw new CborValueError(`${value} does not fit 64 bits.`)
  }
  if (typeof value === "symbol" || typeof value === "function") throw new CborValueError("The value is not data.")
  if (typeof value !== "object" || value === null) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (isCborArray(value)) return Array.from(value, (item) => toPlain(item, depth + 1))
  if (isCborMap(value)) return new Map([...value].map(([k, v]) => [toPlain(k, depth + 1), toPlain(v, depth + 1)]))
  if (value instanceof Tag) return new Tag(value.tag, toPlain(value.contents as CborValue, depth + 1))
  if (value instanceof Simple) return value
  throw new CborValueError("The value holds an object that is no Uint8Array, array, Map or CborTag.")
}
