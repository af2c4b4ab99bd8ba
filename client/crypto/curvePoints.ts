import { toHex } from "./hex.ts"
import { NIST_DOMAINS } from "./nistCurves.ts"
import type { NistCurve } from "./nistCurves.ts"

/** Whether this is a point of the curve: SEC 1, 3.2.2.1; the cofactor is 1, so that is all. `point` is 0x04 || x || y. */
export function isOnCurve(name: NistCurve, point: Uint8Array): boolean {
  const { p, b } = NIST_DOMAINS[name]
  const middle = 1 + (point.length - 1) / 2
  const x = BigInt(toHex(point.subarray(1, middle)))
  const y = BigInt(toHex(point.subarray(middle)))
  return x < p && y < p && (y * y - (x * x - 3n) * x - b) % p === 0n
}

const EDWARDS_P = 2n ** 255n - 19n
const EDWARDS_D = 0x52036cee_2b6ffe73_8cc74079_7779e898_00700a4d_4141d8ab_75eb4dca_135978a3n
/** A y of the four points of order 8. */
const ORDER_8_Y = 0x7a03ac92_77fdc74e_c6cc392c_fa53202a_0f67100d_760b3cba_4fd84d3d_706a17c7n
/** Of the eight points whose order divides 8, none is anybody's key: all their y. */
const SMALL_ORDER_Y = [0n, 1n, EDWARDS_P - 1n, ORDER_8_Y, EDWARDS_P - ORDER_8_Y]

/** Whether these 32 octets are a point of edwards25519 (RFC 8032, 5.1.3), in its one encoding and not of small order. */
export function isEdwardsPoint(key: Uint8Array): boolean {
  if (key.length !== 32) return false
  // The highest bit is the sign of x, and any sign will do: only the points of small order have an x without one.
  const y = BigInt(toHex(Uint8Array.from(key).reverse())) & (2n ** 255n - 1n)
  if (y >= EDWARDS_P || SMALL_ORDER_Y.includes(y)) return false
  // x² = (y² - 1) / (d y² + 1) has a root if numerator times denominator has one: Euler's criterion.
  const square = (y * y) % EDWARDS_P
  return power((square - 1n) * (EDWARDS_D * square + 1n), (EDWARDS_P - 1n) / 2n) === 1n
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let factor = base % EDWARDS_P
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * factor) % EDWARDS_P
    factor = (factor * factor) % EDWARDS_P
  }
  return result
}
