import type { CborArray, CborMap, CborValue } from "./cborItem.ts"
import { readCbor } from "./readCbor.ts"
import { assertStrictCbor } from "./strictCbor.ts"
import type { StrictCborOptions } from "./strictCbor.ts"
import { writeCbor } from "./writeCbor.ts"

export { CborTag } from "./cborItem.ts"
export type { CborArray, CborMap, CborValue } from "./cborItem.ts"
export type { StrictCborOptions } from "./strictCbor.ts"

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
  return readCbor(bytes)
}

/**
 * Encodes in the one deterministic form of RFC 8949, 4.2.1. What it returns, `decodeCbor` accepts.
 *
 * @throws {@link CborValueError} for a value without such a form. Other children of {@link CborError} when the result
 *   is too large, too deep or has a key twice
 */
export function encodeCbor(value: CborValue, options: Omit<StrictCborOptions, "sorted"> = {}): Uint8Array {
  const bytes = writeCbor(value)
  assertStrictCbor(bytes, options)
  return bytes
}
