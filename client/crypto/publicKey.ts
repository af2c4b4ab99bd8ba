import { ed25519 } from "@noble/curves/ed25519.js"
import { p256, p384 } from "@noble/curves/nist.js"
import { FleetrootError } from "../errors/base.ts"
import { PublicKeyInvalidError } from "../errors/crypto.ts"
import { DerReader } from "./derReader.ts"
import { derBitString, derSequence } from "./derWriter.ts"
import { concatBytes, fromHex } from "./hex.ts"
import { assertStrictDer, DER } from "./strictDer.ts"
import type { KeyAlgorithm } from "./types.ts"

/** A sound public key, taken apart. `point` is 0x04 || x || y; RSA numbers are big-endian without padding. */
export type PublicKey =
  | { algorithm: "p256" | "p384"; point: Uint8Array }
  | { algorithm: "ed25519"; key: Uint8Array }
  | { algorithm: "rsa"; modulus: Uint8Array; exponent: Uint8Array; bits: number }

/** AlgorithmIdentifier of each kind of key, whole, in its one encoding (RFC 5480 2.1.1, RFC 8410 3, RFC 3279 2.3.1). */
export const KEY_ALGORITHM_IDENTIFIERS: Readonly<Record<KeyAlgorithm, Uint8Array>> = {
  p256: fromHex("0x301306072a8648ce3d020106082a8648ce3d030107"),
  p384: fromHex("0x301006072a8648ce3d020106052b81040022"),
  ed25519: fromHex("0x300506032b6570"),
  rsa: fromHex("0x300d06092a864886f70d0101010500"),
}

const KEY_ALGORITHMS = ["p256", "p384", "ed25519", "rsa"] as const

// SEQUENCE, AlgorithmIdentifier, BIT STRING header: all octets in front of the key itself.
const EC_PREFIXES = {
  p256: concatBytes(fromHex("0x3059"), KEY_ALGORITHM_IDENTIFIERS.p256, fromHex("0x034200")),
  p384: concatBytes(fromHex("0x3076"), KEY_ALGORITHM_IDENTIFIERS.p384, fromHex("0x036200")),
  ed25519: concatBytes(fromHex("0x302a"), KEY_ALGORITHM_IDENTIFIERS.ed25519, fromHex("0x032100")),
} as const

const RSA_MINIMUM_BITS = 2048
const RSA_MAXIMUM_BITS = 8192

/**
 * What kind of key `spki` says it is, by its AlgorithmIdentifier alone; undefined for any that this library does not use.
 * The key may still be unsound: {@link parsePublicKey} decides.
 */
export function keyAlgorithmOf(spki: Uint8Array): KeyAlgorithm | undefined {
  // After the SEQUENCE's header, which is 2 octets long below 128, 3 below 256, else 4.
  const second = spki[1] ?? 0
  const start = second < 0x80 ? 2 : 2 + (second & 0x7f)
  return KEY_ALGORITHMS.find((algorithm) => holds(spki, KEY_ALGORITHM_IDENTIFIERS[algorithm], start))
}

/**
 * Takes a DER SubjectPublicKeyInfo apart and checks the key: encoding, point on the curve, size, exponent.
 *
 * One encoding is accepted for each kind: named curves with uncompressed points, RSA with NULL parameters.
 *
 * @throws {@link PublicKeyInvalidError}
 */
export function parsePublicKey(spki: Uint8Array): PublicKey {
  switch (keyAlgorithmOf(spki)) {
    case "p256":
      return ecKey("p256", keyBehind(spki, EC_PREFIXES.p256, 65))
    case "p384":
      return ecKey("p384", keyBehind(spki, EC_PREFIXES.p384, 97))
    case "ed25519":
      return edwardsKey(keyBehind(spki, EC_PREFIXES.ed25519, 32))
    case "rsa":
      return rsaKey(spki)
    case undefined:
    default:
      throw new PublicKeyInvalidError({
        reason: "its algorithm is none of P-256, P-384, RSA, Ed25519 in the usual encoding",
      })
  }
}

/** SubjectPublicKeyInfo around an algorithm's own encoding of the key: point, 32 octets, or RSAPublicKey. */
export function encodePublicKey(algorithm: KeyAlgorithm, key: Uint8Array): Uint8Array {
  return derSequence(KEY_ALGORITHM_IDENTIFIERS[algorithm], derBitString(key))
}

function keyBehind(spki: Uint8Array, prefix: Uint8Array, length: number): Uint8Array {
  if (spki.length !== prefix.length + length || !holds(spki, prefix, 0)) {
    throw new PublicKeyInvalidError({
      reason: "it is not in the one encoding accepted (point uncompressed, right length)",
    })
  }
  return spki.subarray(prefix.length)
}

function ecKey(algorithm: "p256" | "p384", point: Uint8Array): PublicKey {
  if (point[0] !== 0x04) throw new PublicKeyInvalidError({ reason: "its point is not in uncompressed form" })
  try {
    // Coordinates below p, and on the curve; the cofactor is 1, so that is all.
    const curve = algorithm === "p256" ? p256 : p384
    // The library looks twice, at the price of a twelfth of a signature check; what one look accepts needs no second.
    if (!isOnCurve(curve.Point, point)) curve.Point.fromBytes(point)
  } catch (cause) {
    throw new PublicKeyInvalidError({ reason: "its point is not on the curve", cause })
  }
  return { algorithm, point }
}

/** y² = x³ + ax + b with x and y below p: SEC 1, 3.2.2.1. `point` is 0x04 || x || y. */
function isOnCurve(curve: typeof p256.Point, point: Uint8Array): boolean {
  const { Fp } = curve
  const middle = 1 + Fp.BYTES
  const x = unsignedOf(point, 1, middle)
  const y = unsignedOf(point, middle, point.length)
  const { a, b } = curve.CURVE()
  return Fp.isValid(x) && Fp.isValid(y) && Fp.sqr(y) === Fp.create((x * x + a) * x + b)
}

/** The big-endian number in some octets, a multiple of eight. By way of hex it would take four times as long. */
function unsignedOf(bytes: Uint8Array, start: number, end: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let number = 0n
  for (let at = start; at < end; at += 8) number = (number << 64n) | view.getBigUint64(at)
  return number
}

function edwardsKey(key: Uint8Array): PublicKey {
  try {
    // RFC 8032, 5.1.3: y below p. Of the eight points of small order none is anybody's key.
    if (ed25519.Point.fromBytes(key, false).isSmallOrder()) throw new RangeError("small order")
  } catch (cause) {
    throw new PublicKeyInvalidError({ reason: "it is not a point of the Ed25519 group", cause })
  }
  return { algorithm: "ed25519", key }
}

function rsaKey(spki: Uint8Array): PublicKey {
  const { modulus, exponent } = readRsa(spki)
  const bits = bitLength(modulus)
  if (bits < RSA_MINIMUM_BITS || bits > RSA_MAXIMUM_BITS) {
    throw new PublicKeyInvalidError({ reason: `its RSA modulus has ${bits} bits` })
  }
  if (((modulus.at(-1) as number) & 1) === 0) throw new PublicKeyInvalidError({ reason: "its RSA modulus is even" })

  const exponentBits = bitLength(exponent)
  if (exponentBits < 17 || exponentBits > 64 || ((exponent.at(-1) as number) & 1) === 0) {
    throw new PublicKeyInvalidError({ reason: "its RSA exponent is even, below 65537 or above 2^64" })
  }
  return { algorithm: "rsa", modulus, exponent, bits }
}

// RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, RFC 3279 2.3.1.
function readRsa(spki: Uint8Array): { modulus: Uint8Array; exponent: Uint8Array } {
  try {
    assertStrictDer(spki)
    const outer = new DerReader(spki)
    const info = outer.enter(DER.sequence, "SubjectPublicKeyInfo")
    info.read(DER.sequence, "AlgorithmIdentifier")
    const key = info.bitString("subjectPublicKey")
    info.finish()
    assertStrictDer(key)
    const numbers = new DerReader(key).enter(DER.sequence, "RSAPublicKey")
    const modulus = unsigned(numbers.integer("modulus"))
    const exponent = unsigned(numbers.integer("publicExponent"))
    numbers.finish()
    return { modulus, exponent }
  } catch (cause) {
    if (!(cause instanceof FleetrootError)) throw cause
    if (cause instanceof PublicKeyInvalidError) throw cause
    throw new PublicKeyInvalidError({ reason: "it is not an RSA key in DER", cause })
  }
}

function unsigned(content: Uint8Array): Uint8Array {
  const first = content[0] as number
  if (first >= 0x80) throw new PublicKeyInvalidError({ reason: "an RSA number is negative" })
  return first === 0 ? content.subarray(1) : content
}

function bitLength(digits: Uint8Array): number {
  return digits.length === 0 ? 0 : digits.length * 8 - (Math.clz32(digits[0] as number) - 24)
}

function holds(bytes: Uint8Array, part: Uint8Array, start: number): boolean {
  if (bytes.length < start + part.length) return false
  for (let i = 0; i < part.length; i++) if (bytes[start + i] !== part[i]) return false
  return true
}
