import { ed25519 } from "@noble/curves/ed25519.js"
import { p256, p384 } from "@noble/curves/nist.js"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isEdwardsPoint, isOnCurve } from "../../../client/crypto/curvePoints.ts"
import { fromHex } from "../../../client/crypto/hex.ts"
import { nistEcdsa } from "../../../client/crypto/nistCurves.ts"

const CURVES = { p256, p384 } as const

function accepts(read: () => unknown): boolean {
  try {
    return read() !== false
  } catch {
    return false
  }
}

describe.each(["p256", "p384"] as const)("a point of %s", (name) => {
  const curve = CURVES[name]
  const { Fp, BASE } = curve.Point
  const encode = (x: bigint, y: bigint) => Uint8Array.of(4, ...Fp.toBytes(x), ...Fp.toBytes(y))
  const theirs = (point: Uint8Array) => accepts(() => curve.Point.fromBytes(point))
  const scalar = fc.bigInt({ min: 1n, max: curve.Point.Fn.ORDER - 1n })

  it("is what the library takes for one", () => {
    fc.assert(
      fc.property(scalar, (k) => {
        const point = curve.Point.BASE.multiply(k).toBytes(false)
        expect([isOnCurve(name, point), theirs(point)]).toEqual([true, true])
      }),
      { numRuns: 20 },
    )
  })

  it("is not what the library refuses: other coordinates, and those from p on", () => {
    fc.assert(
      fc.property(scalar, fc.nat({ max: 2 * Fp.BYTES - 1 }), fc.integer({ min: 1, max: 255 }), (k, at, change) => {
        const point = BASE.multiply(k).toBytes(false)
        point[1 + at] = (point[1 + at] as number) ^ change
        expect(isOnCurve(name, point)).toBe(theirs(point))
      }),
      { numRuns: 40 },
    )
    const { x, y } = BASE.toAffine()
    const wide = (n: bigint) => fromHex(`0x${n.toString(16).padStart(2 * Fp.BYTES, "0")}`)
    const largest = 2n ** BigInt(8 * Fp.BYTES) - 1n
    const cases: [bigint, bigint][] = [
      [0n, 0n],
      [x, Fp.ORDER - y],
      [y, x],
      [Fp.ORDER, y],
      [x, Fp.ORDER],
      [largest, largest],
      [0n, Fp.sqrt(curve.Point.CURVE().b)],
      [Fp.ORDER, Fp.sqrt(curve.Point.CURVE().b)],
    ]
    for (const [px, py] of cases) {
      const point = Uint8Array.of(4, ...wide(px), ...wide(py))
      expect(isOnCurve(name, point)).toBe(theirs(point))
    }
    expect(isOnCurve(name, encode(0n, Fp.sqrt(curve.Point.CURVE().b)))).toBe(true)
  })
})

describe("a key of Ed25519", () => {
  const { Point } = ed25519
  const theirs = (key: Uint8Array) => accepts(() => !Point.fromBytes(key, false).isSmallOrder())
  const littleEndian = (y: bigint, sign = 0) => {
    const octets = fromHex(`0x${(y & (2n ** 255n - 1n)).toString(16).padStart(64, "0")}`).reverse()
    octets[31] = (octets[31] as number) | (sign << 7)
    return octets
  }

  it("is what the library takes for one, of the prime order or mixed", () => {
    const torsion = Point.fromBytes(
      fromHex("0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
      false,
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: Point.Fn.ORDER - 1n }), fc.boolean(), (k, mixed) => {
        const point = Point.BASE.multiply(k)
        const key = (mixed ? point.add(torsion) : point).toBytes()
        expect([isEdwardsPoint(key), theirs(key)]).toEqual([true, true])
      }),
      { numRuns: 20 },
    )
  })

  it("is not what the library refuses", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        expect(isEdwardsPoint(key)).toBe(theirs(key))
      }),
      { numRuns: 60 },
    )
  })

  it("is none of the eight points of small order, by either sign, nor a y from p on", () => {
    const order8 = Point.fromBytes(fromHex("0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), false)
    let small = Point.ZERO
    for (let i = 0; i < 8; i++, small = small.add(order8)) {
      const key = small.toBytes()
      expect([isEdwardsPoint(key), theirs(key)]).toEqual([false, false])
      const other = Uint8Array.from(key)
      other[31] = (other[31] as number) ^ 0x80
      expect([isEdwardsPoint(other), theirs(other)]).toEqual([false, false])
    }
    const { ORDER } = Point.Fp
    for (const sign of [0, 1]) {
      for (let y = ORDER; y < 2n ** 255n; y++) expect(isEdwardsPoint(littleEndian(y, sign))).toBe(false)
      for (let y = 0n; y < 20n; y++) expect(isEdwardsPoint(littleEndian(y, sign))).toBe(theirs(littleEndian(y, sign)))
    }
  })

  it("has 32 octets", () => {
    const key = Point.BASE.toBytes()
    expect(isEdwardsPoint(key.subarray(0, 31))).toBe(false)
    expect(isEdwardsPoint(Uint8Array.of(...key, 0))).toBe(false)
    expect(isEdwardsPoint(new Uint8Array())).toBe(false)
  })
})

describe.each(["p256", "p384"] as const)("the curve %s", (name) => {
  it("is the library's own", () => {
    const { Point } = nistEcdsa(name)
    expect(Point.CURVE()).toEqual(CURVES[name].Point.CURVE())
    expect([Point.BASE.toAffine(), Point.Fn.ORDER]).toEqual([
      CURVES[name].Point.BASE.toAffine(),
      CURVES[name].Point.Fn.ORDER,
    ])
  })
})
