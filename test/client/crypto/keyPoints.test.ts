// Which points are anybody's key: SEC 1, 3.2.2.1 and RFC 8032, 5.1.3, and none of small order.
import { ed25519 } from "@noble/curves/ed25519.js"
import { p256, p384 } from "@noble/curves/nist.js"
import { describe, expect, it } from "vitest"
import { fromHex } from "../../../client/crypto/hex.ts"
import { encodePublicKey, parsePublicKey } from "../../../client/crypto/publicKey.ts"
import { PublicKeyInvalidError } from "../../../client/errors/crypto.ts"

const CURVES = { p256, p384 } as const

describe.each(["p256", "p384"] as const)("a key of %s", (name) => {
  const { Point } = CURVES[name]
  const { BASE, Fp } = Point
  const wide = (n: bigint) => fromHex(`0x${n.toString(16).padStart(2 * Fp.BYTES, "0")}`)
  const read = (x: bigint, y: bigint) => parsePublicKey(encodePublicKey(name, Uint8Array.of(4, ...wide(x), ...wide(y))))
  const { x, y } = BASE.toAffine()
  const root = Fp.sqrt(Point.CURVE().b)

  it.each([
    ["the base point", x, y],
    ["its negative", x, Fp.ORDER - y],
    ["the point with x = 0", 0n, root],
  ] as const)("is %s", (_what, px, py) => {
    expect(read(px, py)).toMatchObject({ algorithm: name })
  })

  it.each([
    ["0, 0", 0n, 0n],
    ["its coordinates exchanged", y, x],
    ["another y", x, y + 1n],
    ["an x that is p", Fp.ORDER, root],
    ["a y that is p", x, Fp.ORDER],
    ["the largest numbers", 2n ** BigInt(8 * Fp.BYTES) - 1n, 2n ** BigInt(8 * Fp.BYTES) - 1n],
  ] as const)("is not %s", (_what, px, py) => {
    expect(() => read(px, py)).toThrow(PublicKeyInvalidError)
  })
})

describe("a key of Ed25519", () => {
  const { Point } = ed25519
  const read = (key: Uint8Array) => parsePublicKey(encodePublicKey("ed25519", key))
  const order8 = Point.fromBytes(fromHex("0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), false)
  const littleEndian = (n: bigint) => fromHex(`0x${n.toString(16).padStart(64, "0")}`).reverse()

  it("is the base point, and one that a point of small order was added to", () => {
    for (const point of [Point.BASE, Point.BASE.add(order8)]) {
      expect(read(point.toBytes())).toMatchObject({ algorithm: "ed25519" })
    }
  })

  it("is none of the eight points of small order, by either sign", () => {
    let small = Point.ZERO
    for (let i = 0; i < 8; i++, small = small.add(order8)) {
      for (const sign of [0, 0x80]) {
        const key = small.toBytes()
        key[31] = (key[31] as number) ^ sign
        expect(() => read(key)).toThrow(PublicKeyInvalidError)
      }
    }
  })

  it("is no y from p on, by either sign", () => {
    for (let y = Point.Fp.ORDER; y < 2n ** 255n; y++) {
      for (const sign of [0n, 1n << 255n]) expect(() => read(littleEndian(y | sign))).toThrow(PublicKeyInvalidError)
    }
  })
})
