import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Hex } from "../../../client/crypto/hex.ts"
import { toHex } from "../../../client/crypto/hex.ts"
import { HexInvalidError } from "../../../client/errors/crypto.ts"
import { CertificateFieldError } from "../../../client/errors/x509.ts"
import {
  decodePositionSerial,
  encodePositionSerial,
  positionSerialMatches,
} from "../../../client/x509/positionSerial.ts"
import type { Position, PositionContext } from "../../../client/x509/positionSerial.ts"

const context: PositionContext = {
  chainId: 31337n,
  registry: "0x5fbdb2315678afecb367f032d93f642f64180aa3",
  issuerKeyId: `0x${"ab".repeat(32)}`,
}
const place = { manufacturerId: 2, series: 2 ** 31, index: 7 }
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })

/** The text of DESIGN, computed with nothing of ours. */
function expected(c: PositionContext, p: Position): string {
  const number = (value: number) => value.toString(16).padStart(8, "0")
  const head = `5f${number(p.manufacturerId)}${number(p.series)}${number(p.index)}`
  const bound = c.chainId.toString(16).padStart(64, "0") + c.registry.slice(2) + c.issuerKeyId.slice(2) + head
  const digest = createHash("sha256").update("fleetroot-serial-v1").update(Buffer.from(bound, "hex")).digest("hex")
  return `0x${head}${digest.slice(0, 14)}`
}

describe("encodePositionSerial", () => {
  it("writes 20 octets as the format says, on every border", () => {
    for (const manufacturerId of [1, 2, 2 ** 32 - 1]) {
      for (const series of [2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1]) {
        for (const index of [0, 255, 256, 2 ** 31, 2 ** 32 - 2]) {
          for (const chainId of [0n, 1n, 2n ** 64n, 2n ** 256n - 1n]) {
            const c = { ...context, chainId }
            const p = { manufacturerId, series, index }
            const serial = encodePositionSerial({ ...c, ...p })
            expect(toHex(serial)).toBe(expected(c, p))
            expect(serial).toHaveLength(20)
            expect(decodePositionSerial(serial)).toEqual({ ...p, tag: serial.slice(13) })
            expect(positionSerialMatches(serial, c)).toBe(true)
          }
        }
      }
    }
  })

  it("has one serial that never changes", () => {
    expect(toHex(encodePositionSerial({ ...context, ...place }))).toBe("0x5f000000028000000000000007a6347c5c03fea4")
  })

  const refused: [string, object][] = [
    ["manufacturer 0", { manufacturerId: 0 }],
    ["manufacturer 2^32", { manufacturerId: 2 ** 32 }],
    ["a series below 2^31", { series: 2 ** 31 - 1 }],
    ["series 2^32", { series: 2 ** 32 }],
    ["a negative index", { index: -1 }],
    ["an index past the largest batch", { index: 2 ** 32 - 1 }],
    ["a fraction", { index: 0.5 }],
    ["NaN", { index: Number.NaN }],
    ["text", { index: "7" }],
    ["a negative chain id", { chainId: -1n }],
    ["a chain id of 257 bits", { chainId: 2n ** 256n }],
    ["a chain id that is a number", { chainId: 1 }],
    ["a short registry", { registry: "0x5fbd" }],
    ["a short key id", { issuerKeyId: `0x${"ab".repeat(31)}` }],
  ]
  for (const [what, change] of refused) {
    it(`refuses ${what} by name`, () => {
      expect(() => encodePositionSerial({ ...context, ...place, ...change })).toThrow(CertificateFieldError)
    })
  }

  it("refuses an address that is no hex", () => {
    expect(() => encodePositionSerial({ ...context, ...place, registry: "0xzz" })).toThrow(HexInvalidError)
  })
})

describe("decodePositionSerial", () => {
  it("knows a position by its form alone", () => {
    const serial = encodePositionSerial({ ...context, ...place })
    expect(decodePositionSerial(serial.subarray(0, 19))).toBeUndefined()
    expect(decodePositionSerial(new Uint8Array([...serial, 0]))).toBeUndefined()
    expect(decodePositionSerial(serial.with(0, 0x5e))).toBeUndefined()
    expect(decodePositionSerial(serial.with(5, 0x7f)), "series below 2^31").toBeUndefined()
    expect(decodePositionSerial(Uint8Array.of(5))).toBeUndefined()
    expect(decodePositionSerial(serial.with(19, 0))).toBeDefined()
  })

  it("reads from the middle of a larger array", () => {
    const serial = encodePositionSerial({ ...context, ...place })
    const around = new Uint8Array([9, 9, 9, ...serial, 9])
    expect(decodePositionSerial(around.subarray(3, 23))).toMatchObject(place)
  })
})

describe("positionSerialMatches", () => {
  const serial = encodePositionSerial({ ...context, ...place })

  it("refuses every other deployment and key", () => {
    expect(positionSerialMatches(serial, { ...context, chainId: 1n })).toBe(false)
    expect(positionSerialMatches(serial, { ...context, registry: `0x${"11".repeat(20)}` })).toBe(false)
    expect(positionSerialMatches(serial, { ...context, issuerKeyId: `0x${"ac".repeat(32)}` })).toBe(false)
  })

  it("takes an address in any case", () => {
    expect(
      positionSerialMatches(serial, {
        ...context,
        registry: context.registry.toUpperCase().replace("0X", "0x") as Hex,
      }),
    ).toBe(true)
  })

  it("refuses every change of one bit", () => {
    for (let bit = 0; bit < 160; bit++) {
      const other = serial.slice()
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(positionSerialMatches(other, context)).toBe(false)
    }
  })

  it("refuses any other twenty octets, so that ordinary serials are not positions", () => {
    fc.assert(
      fc.property(uint32, uint32, uint32, fc.uint8Array({ minLength: 7, maxLength: 7 }), (m, s, i, tag) => {
        const random = new Uint8Array(20)
        new DataView(random.buffer).setUint32(1, m)
        new DataView(random.buffer).setUint32(5, s | 0x8000_0000)
        new DataView(random.buffer).setUint32(9, i)
        random[0] = 0x5f
        random.set(tag, 13)
        expect(decodePositionSerial(random)).toBeDefined()
        expect(positionSerialMatches(random, context)).toBe(false)
      }),
    )
  })
})
