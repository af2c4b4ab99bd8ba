import { CborValueError } from "../errors/cose.ts"
import { concatBytes } from "../crypto/hex.ts"
import { CborSimple, CborTag } from "./cborItem.ts"
import type { CborArray, CborMap, CborValue } from "./cborItem.ts"
import { isShortestFloat } from "./shortestFloat.ts"
import { MAX_CBOR_DEPTH } from "./strictCbor.ts"

/**
 * A value in the one deterministic form of RFC 8949, 4.2.1.
 *
 * @throws {@link CborValueError}
 */
export function writeCbor(value: CborValue): Uint8Array {
  return item(value, 0)
}

function item(value: CborValue, depth: number): Uint8Array {
  if (depth > MAX_CBOR_DEPTH) throw new CborValueError(`The value nests deeper than ${MAX_CBOR_DEPTH} levels.`)
  switch (typeof value) {
    case "number":
      return number(value)
    case "bigint":
      return integer(value)
    case "string":
      return text(value)
    case "boolean":
      return Uint8Array.of(value ? 0xf5 : 0xf4)
    case "undefined":
      return Uint8Array.of(0xf7)
    case "object":
      return value === null ? Uint8Array.of(0xf6) : object(value, depth)
    case "symbol":
    case "function":
    default:
      throw new CborValueError("The value is not data.")
  }
}

function object(value: Exclude<CborValue & object, null>, depth: number): Uint8Array {
  if (value instanceof Uint8Array) return concatBytes(head(2, value.length), value)
  if (Array.isArray(value)) {
    const items = Array.from(value as CborArray, (one) => item(one, depth + 1))
    return join([head(4, items.length), ...items])
  }
  if (value instanceof Map) return map(value as CborMap, depth)
  if (value instanceof CborTag) return concatBytes(head(6, argumentOf(value.tag)), item(value.contents, depth + 1))
  if (value instanceof CborSimple) return head(7, argumentOf(value.value))
  throw new CborValueError("The value holds an object that is no Uint8Array, array, Map or CborTag.")
}

/** Keys in the order of their encodings. */
function map(value: CborMap, depth: number): Uint8Array {
  const entries = [...value].map(([key, one]) => [item(key, depth + 1), item(one, depth + 1)] as const)
  entries.sort(([a], [b]) => compareBytes(a, b))
  return join([head(5, entries.length), ...entries.flat()])
}

function number(value: number): Uint8Array {
  if (Number.isSafeInteger(value)) return integer(BigInt(value))
  if (Number.isInteger(value)) throw new CborValueError(`${value} is beyond 2^53: pass a bigint.`)
  return float(value)
}

function integer(value: bigint): Uint8Array {
  if (value >= 2n ** 64n || value < -(2n ** 64n)) throw new CborValueError(`${value} does not fit 64 bits.`)
  return value < 0n ? head(1, -1n - value) : head(0, value)
}

function text(value: string): Uint8Array {
  if (!value.isWellFormed()) throw new CborValueError("A string has a lone surrogate.")
  const octets = new TextEncoder().encode(value)
  return concatBytes(head(3, octets.length), octets)
}

/** The shortest form that keeps the value; any NaN is the one NaN of two octets. */
function float(value: number): Uint8Array {
  if (Number.isNaN(value)) return Uint8Array.of(0xf9, 0x7e, 0x00)
  const double = new DataView(new ArrayBuffer(8))
  double.setFloat64(0, value)
  const octets = new Uint8Array(double.buffer)
  if (isShortestFloat(octets)) return Uint8Array.of(0xfb, ...octets)
  const single = new DataView(new ArrayBuffer(4))
  single.setFloat32(0, value)
  const shorter = new Uint8Array(single.buffer)
  if (isShortestFloat(shorter)) return Uint8Array.of(0xfa, ...shorter)
  const half = halfBits(single.getUint32(0))
  return Uint8Array.of(0xf9, half >>> 8, half & 0xff)
}

/** The binary16 of a binary32 that has one (RFC 8949, Appendix D, backwards). */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127
  const fraction = bits & 0x7f_ffff
  if (exponent === 128) return sign | 0x7c00
  if (exponent >= -14) return sign | ((exponent + 15) << 10) | (fraction >>> 13)
  if (exponent < -24) return sign
  // Below the smallest normal number the leading one is written out.
  return sign | ((fraction | 0x80_0000) >>> (-1 - exponent))
}

/** Of any number of parts, where a call takes only so many. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The first octets of an item, with its argument in the shortest form. */
function head(major: number, argument: number | bigint): Uint8Array {
  const first = major << 5
  const value = BigInt(argument)
  if (value < 24n) return Uint8Array.of(first | Number(value))
  const width = value < 0x100n ? 0 : value < 0x1_0000n ? 1 : value < 0x1_0000_0000n ? 2 : 3
  const octets = new Uint8Array(1 + 2 ** width)
  octets[0] = first | (24 + width)
  let rest = value
  for (let i = octets.length - 1; i > 0; i--, rest >>= 8n) octets[i] = Number(rest & 0xffn)
  return octets
}

function argumentOf(value: number | bigint): bigint {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value)
  if (!isWhole || value < 0 || BigInt(value) >= 2n ** 64n)
    throw new CborValueError(`${value} is no tag or simple value.`)
  return BigInt(value)
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number)
  return a.length - b.length
}
