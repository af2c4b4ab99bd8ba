import { SignatureMalformedError } from "../errors/crypto.ts"
import { concatBytes, fromHex, toHex } from "./hex.ts"
import type { Hex } from "./hex.ts"
import { derSequence, derUnsigned } from "./derWriter.ts"

/** Octets of a coordinate, and of r and s: 32 on P-256, 48 on P-384. */
export type CoordinateLength = 32 | 48

const P256_ORDER_HEX = "0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
const P384_ORDER_HEX =
  "0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"

/** The number of points on P-256. SEC 2, 2.4.2. */
export const P256_ORDER = BigInt(P256_ORDER_HEX)

const ORDERS: Readonly<Record<CoordinateLength, Uint8Array>> = {
  32: fromHex(P256_ORDER_HEX),
  48: fromHex(P384_ORDER_HEX),
}

/**
 * An ECDSA signature in DER, SEQUENCE { r, s } of RFC 3279 2.2.3, as r || s. High s stays high.
 *
 * @param length octets of r and s: 32 for P-256, 48 for P-384.
 * @throws {@link SignatureMalformedError} for BER, padding, bytes behind, and r or s outside 1..n-1.
 */
export function ecdsaDerToRaw(der: Uint8Array, length: CoordinateLength): Uint8Array {
  return copyScalars(der, new Uint8Array(2 * length), length)
}

const scratch: Readonly<Record<CoordinateLength, Uint8Array>> = { 32: new Uint8Array(64), 48: new Uint8Array(96) }

/** Refuses what {@link ecdsaDerToRaw} refuses, for whoever needs no r || s. @throws {@link SignatureMalformedError} */
export function assertEcdsaDer(der: Uint8Array, length: CoordinateLength): void {
  copyScalars(der, scratch[length].fill(0), length)
}

/** @param raw Zeros, for r and s. */
function copyScalars(der: Uint8Array, raw: Uint8Array, length: CoordinateLength): Uint8Array {
  // Lengths of 128 octets and more do not occur: two INTEGERs of at most 49 octets, two headers.
  if (der.length < 8 || der.length > 6 + 2 * (length + 1)) refuse("it has a wrong length")
  if (der[0] !== 0x30 || der[1] !== der.length - 2) refuse("it is not one SEQUENCE in DER")

  const afterR = copyInteger(der, 2, raw, 0, length)
  const afterS = copyInteger(der, afterR, raw, length, length)
  if (afterS !== der.length) refuse("bytes follow s")
  assertScalars(raw, length)
  return raw
}

/**
 * r || s as DER. High s stays high.
 *
 * @throws {@link SignatureMalformedError} unless it has 64 or 96 octets with r and s in 1..n-1.
 */
export function ecdsaRawToDer(raw: Uint8Array): Uint8Array {
  if (raw.length !== 64 && raw.length !== 96) refuse(`r || s has ${raw.length} octets, not 64 or 96`)
  const length = raw.length === 64 ? 32 : 48
  assertScalars(raw, length)
  return derSequence(derUnsigned(raw.subarray(0, length)), derUnsigned(raw.subarray(length)))
}

/**
 * The same P-256 signature with s at most n/2, which the contracts ask for: s or n - s, both are valid.
 *
 * @throws {@link SignatureMalformedError} unless it has 64 octets with r and s in 1..n-1.
 */
export function normalizeLowS(raw: Uint8Array): Uint8Array {
  assertP256Raw(raw)
  const s = BigInt(toHex(raw.subarray(32)))
  if (s <= P256_ORDER >> 1n) return raw.slice()
  return concatBytes(raw.subarray(0, 32), fromHex(`0x${(P256_ORDER - s).toString(16).padStart(64, "0")}`))
}

/**
 * The halves of a P-256 signature r || s, as the contracts take them.
 *
 * @throws {@link SignatureMalformedError} unless it has 64 octets with r and s in 1..n-1.
 */
export function splitRaw(raw: Uint8Array): { r: Hex; s: Hex } {
  assertP256Raw(raw)
  return { r: toHex(raw.subarray(0, 32)), s: toHex(raw.subarray(32)) }
}

function assertP256Raw(raw: Uint8Array): void {
  if (raw.length !== 64) refuse(`r || s of P-256 has 64 octets, not ${raw.length}`)
  assertScalars(raw, 32)
}

// Copies one INTEGER, right-aligned, and returns where it ends.
function copyInteger(der: Uint8Array, offset: number, target: Uint8Array, slot: number, length: number): number {
  if (der[offset] !== 0x02) refuse("r or s is not an INTEGER")
  const size = der[offset + 1] ?? 0
  let body = offset + 2
  const end = body + size
  if (size === 0 || end > der.length) refuse("r or s is cut")
  const first = der[body] as number
  if (first >= 0x80) refuse("r or s is negative")
  if (first === 0 && (size === 1 || (der[body + 1] as number) < 0x80)) refuse("r or s is zero or padded")
  if (first === 0) body++
  if (end - body > length) refuse("r or s is longer than the order")
  for (let from = body, to = slot + length - (end - body); from < end; from++, to++) target[to] = der[from] as number
  return end
}

function assertScalars(raw: Uint8Array, length: CoordinateLength): void {
  const order = ORDERS[length]
  for (const start of [0, length]) {
    let i = 0
    while (i < length && raw[start + i] === order[i]) i++
    if (i === length || (raw[start + i] as number) > (order[i] as number)) refuse("r or s is not below the order")

    let zero = true
    for (let j = 0; j < length && zero; j++) zero = raw[start + j] === 0
    if (zero) refuse("r or s is zero")
  }
}

function refuse(reason: string): never {
  throw new SignatureMalformedError({ reason })
}
