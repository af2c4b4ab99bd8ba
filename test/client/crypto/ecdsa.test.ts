import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ecdsaDerToRaw, ecdsaRawToDer, normalizeLowS, P256_ORDER, splitRaw } from "../../../client/crypto/ecdsa.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import { SignatureMalformedError } from "../../../client/errors/crypto.ts"

const scalar = (value: bigint) => fromHex(`0x${value.toString(16).padStart(64, "0")}`)
const raw = (r: bigint, s: bigint) => concatBytes(scalar(r), scalar(s))
const scalars = fc.bigInt(1n, P256_ORDER - 1n)
const ORDER_384 = fromHex(
  "0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
)

describe("ecdsaDerToRaw", () => {
  it("reads what ecdsaRawToDer writes, short and long numbers alike", () => {
    const small = fc.bigInt(1n, 0xffffn)
    fc.assert(
      fc.property(fc.oneof(scalars, small), fc.oneof(scalars, small), (r, s) => {
        expect(ecdsaDerToRaw(ecdsaRawToDer(raw(r, s)), 32)).toEqual(raw(r, s))
      }),
    )
  })

  const refused: [string, string][] = [
    ["nothing", "0x"],
    ["a SEQUENCE that is empty", "0x3000"],
    ["r alone", "0x3003020101"],
    ["a length that is one too long", "0x3007020101020101"],
    ["a length that is one too short", "0x3005020101020101"],
    ["bytes behind the SEQUENCE", "0x300602010102010100"],
    ["bytes inside behind s", "0x30080201010201010500"],
    ["the indefinite length", "0x30800201010201010000"],
    ["a length in long form", "0x308106020101020101"],
    ["a SET in place of the SEQUENCE", "0x3106020101020101"],
    ["a padded r", "0x300702020001020101"],
    ["a padded s", "0x300702010102020001"],
    ["a negative r", "0x3006020180020101"],
    ["a negative s", "0x30060201010201ff"],
    ["r of zero", "0x3006020100020101"],
    ["s of zero", "0x3006020101020100"],
    ["r without content", "0x300702000203010101"],
    ["an OCTET STRING for r", "0x3006040101020101"],
    ["r longer than what is there", "0x3006022001020101"],
    ["r in long form", "0x30070281010102010100"],
    ["r equal to the order", `0x302602210${P256_ORDER.toString(16).padStart(65, "0")}020101`],
    ["s equal to the order", `0x302602010102210${P256_ORDER.toString(16).padStart(65, "0")}`],
    ["s above the order", `0x302602010102210${(P256_ORDER + 1n).toString(16).padStart(65, "0")}`],
    ["an r of 33 octets without a zero", `0x30260221${"01".repeat(33)}020101`],
    ["an element of 128 octets", `0x30818002017f${"02".repeat(125)}`],
  ]
  for (const [what, hex] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => ecdsaDerToRaw(fromHex(hex), 32)).toThrow(SignatureMalformedError)
    })
  }

  it("refuses every cut and every byte in front or behind", () => {
    const der = ecdsaRawToDer(raw(P256_ORDER - 1n, P256_ORDER - 2n))
    expect(der).toHaveLength(72)
    for (let length = 0; length < der.length; length++) {
      expect(() => ecdsaDerToRaw(der.subarray(0, length), 32)).toThrow(SignatureMalformedError)
    }
    expect(() => ecdsaDerToRaw(concatBytes(der, Uint8Array.of(0)), 32)).toThrow(SignatureMalformedError)
    expect(() => ecdsaDerToRaw(concatBytes(Uint8Array.of(0), der), 32)).toThrow(SignatureMalformedError)
  })

  it("never reads two encodings as the same signature", () => {
    const der = ecdsaRawToDer(raw(P256_ORDER - 3n, 77n))
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = der.slice()
        other[at] = (other[at] as number) ^ change
        try {
          expect(toHex(ecdsaRawToDer(ecdsaDerToRaw(other, 32)))).toBe(toHex(other))
        } catch (error) {
          expect(error).toBeInstanceOf(SignatureMalformedError)
        }
      }),
    )
  })

  it("holds P-384 to its own order", () => {
    const one = new Uint8Array(48).fill(0, 0, 47)
    one[47] = 1
    const below = ORDER_384.slice()
    below[47] = (below[47] as number) - 1
    expect(ecdsaDerToRaw(ecdsaRawToDer(concatBytes(below, one)), 48)).toEqual(concatBytes(below, one))
    expect(() => ecdsaRawToDer(concatBytes(ORDER_384, one))).toThrow("order")
    expect(() => ecdsaRawToDer(concatBytes(one, new Uint8Array(48)))).toThrow("zero")
  })
})

describe("ecdsaRawToDer", () => {
  it("refuses other lengths and numbers outside 1..n-1", () => {
    for (const length of [0, 1, 63, 65, 95, 97]) {
      expect(() => ecdsaRawToDer(new Uint8Array(length).fill(1))).toThrow(SignatureMalformedError)
    }
    for (const [r, s] of [
      [0n, 1n],
      [1n, 0n],
      [P256_ORDER, 1n],
      [1n, P256_ORDER],
      [1n, P256_ORDER + 1n],
    ] as const) {
      expect(() => ecdsaRawToDer(raw(r, s))).toThrow(SignatureMalformedError)
    }
  })
})

describe("normalizeLowS", () => {
  it("keeps a low s, turns a high one into n - s, and twice is once", () => {
    fc.assert(
      fc.property(scalars, scalars, (r, s) => {
        const low = normalizeLowS(raw(r, s))
        const { r: sameR, s: lowS } = splitRaw(low)
        expect(BigInt(sameR)).toBe(r)
        expect([s, P256_ORDER - s]).toContain(BigInt(lowS))
        expect(BigInt(lowS) <= P256_ORDER / 2n).toBe(true)
        expect(normalizeLowS(low)).toEqual(low)
        expect(normalizeLowS(raw(r, P256_ORDER - s)), "the twin ends as the same").toEqual(low)
      }),
    )
  })

  it("knows the border: n/2 stays, one more turns", () => {
    const half = P256_ORDER >> 1n
    expect(BigInt(splitRaw(normalizeLowS(raw(1n, half))).s)).toBe(half)
    expect(BigInt(splitRaw(normalizeLowS(raw(1n, half + 1n))).s)).toBe(half)
  })

  it("takes P-256 signatures only", () => {
    expect(() => normalizeLowS(new Uint8Array(96).fill(1))).toThrow(SignatureMalformedError)
    expect(() => splitRaw(new Uint8Array(96).fill(1))).toThrow(SignatureMalformedError)
    expect(() => splitRaw(raw(0n, 1n))).toThrow(SignatureMalformedError)
  })
})
