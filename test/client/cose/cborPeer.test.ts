// Our CBOR against that of a library that others use.
import { cdeDecodeOptions, cdeEncodeOptions, decode, encode, Simple, Tag } from "cbor2"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decodeCbor, encodeCbor, isCborArray, isCborMap } from "../../../client/cose/cbor.ts"
import { CborSimple, CborTag } from "../../../client/cose/cborItem.ts"
import type { CborValue } from "../../../client/cose/cborItem.ts"
import { toHex } from "../../../client/crypto/hex.ts"
import { CborError } from "../../../client/errors/cose.ts"

const EXTENDED = { extended: true, maxBytes: 1 << 20 }

/** The same value with the library's own classes. */
function theirs(value: CborValue): unknown {
  if (value instanceof CborTag) return new Tag(value.tag, theirs(value.contents))
  if (value instanceof CborSimple) return new Simple(value.value)
  if (isCborArray(value)) return value.map(theirs)
  if (isCborMap(value)) return new Map([...value].map(([key, item]) => [theirs(key), theirs(item)]))
  return value
}

const readByThem = (bytes: Uint8Array, sorted: boolean): unknown =>
  decode(Uint8Array.from(bytes), {
    ...cdeDecodeOptions,
    sortKeys: sorted ? (cdeDecodeOptions.sortKeys ?? null) : null,
    rejectDuplicateKeys: true,
    preferMap: true,
    ignoreGlobalTags: true,
  })

const leaf = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -24, -25, -256, -257),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) - 1n }),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(true, false, null, undefined),
)
const float = fc
  .oneof(
    fc.double().filter((value) => !Number.isInteger(value)),
    fc.float().filter((value) => !Number.isInteger(value)),
    // Every half, and the numbers on either side of what one can hold.
    fc
      .nat({ max: 0x7bff })
      .map((bits) => (bits < 1024 ? bits * 2 ** -24 : (1024 + (bits % 1024)) * 2 ** ((bits >> 10) - 25))),
    fc.constantFrom(
      NaN,
      Infinity,
      -Infinity,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -25,
      2 ** -14,
      1.5,
      2 ** -149,
      5e-324,
      65_504.5,
    ),
  )
  .filter((value) => !Number.isInteger(value))

function values(leaves: fc.Arbitrary<CborValue>): fc.Arbitrary<CborValue> {
  const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      leaves,
      fc.array(tie("value"), { maxLength: 30 }),
      fc.tuple(fc.nat(), tie("value")).map(([tag, contents]): CborValue => new CborTag(tag, contents)),
      fc
        .uniqueArray(fc.tuple(fc.oneof(fc.integer(), fc.string({ unit: "grapheme" })), tie("value")), {
          maxLength: 6,
          selector: ([key]) => `${typeof key} ${key}`,
        })
        .map((entries): CborValue => new Map(entries)),
    ),
  }))
  return value
}

describe("CBOR and cbor2's", () => {
  it("write every value as the same octets", () => {
    fc.assert(
      fc.property(values(fc.oneof(leaf, float)), (value) => {
        const bytes = encodeCbor(value, EXTENDED)
        expect(toHex(bytes)).toBe(toHex(new Uint8Array(encode(theirs(value), cdeEncodeOptions))))
      }),
      { numRuns: 1_000 },
    )
  })

  it("write every half that there is as they do", () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const bytes = Uint8Array.of(0xf9, bits >>> 8, bits & 0xff)
      const value = decodeCbor(bytes, EXTENDED) as number
      expect(Object.is(value, readByThem(bytes, true))).toBe(true)
      if (Number.isInteger(value)) continue
      expect(encodeCbor(value, EXTENDED)).toEqual(bytes)
      bytes[1] = (bytes[1] as number) | 0x80
      expect(decodeCbor(bytes, EXTENDED)).toBe(-value)
      expect(encodeCbor(-value, EXTENDED)).toEqual(bytes)
    }
  })

  it("read what they let through as the same value", () => {
    const octet = fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(0x81, 0xa1, 0x82, 0x41, 0x61, 0xc1, 0x18, 0, 0xf6, 0xf9),
    )
    const noise = fc.array(octet, { maxLength: 24 }).map((octets) => Uint8Array.from(octets))
    const written = values(fc.oneof(leaf, float)).map((value) => encodeCbor(value, EXTENDED))
    fc.assert(
      fc.property(fc.oneof(noise, written), fc.boolean(), (bytes, sorted) => {
        let value: CborValue
        try {
          value = decodeCbor(bytes, { ...EXTENDED, sorted })
        } catch (error) {
          expect(error).toBeInstanceOf(CborError)
          return
        }
        expect(theirs(value)).toEqual(readByThem(bytes, sorted))
      }),
      { numRuns: 3_000 },
    )
  })

  it("differ in one number: here all beyond the safe integers are of one kind, so that they can be written again", () => {
    const bytes = Uint8Array.of(0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
    expect([decodeCbor(bytes), readByThem(bytes, true)]).toEqual([-(2n ** 53n), -(2 ** 53)])
    expect(encodeCbor(-(2n ** 53n))).toEqual(bytes)
  })

  it("take a list of more items than a call takes arguments", () => {
    const list = Array.from({ length: 300_000 }, () => 1)
    const bytes = encodeCbor(list, EXTENDED)
    expect(bytes).toHaveLength(300_005)
    expect(decodeCbor(bytes, EXTENDED)).toHaveLength(300_000)
  })
})
