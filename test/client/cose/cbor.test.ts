import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CborTag, decodeCbor, encodeCbor } from "../../../client/cose/cbor.ts"
import type { CborValue, StrictCborOptions } from "../../../client/cose/cbor.ts"
import { fromHex, toHex } from "../../../client/crypto/hex.ts"
import {
  CborDepthError,
  CborDuplicateKeyError,
  CborError,
  CborIndefiniteLengthError,
  CborKeyOrderError,
  CborNotShortestError,
  CborReservedError,
  CborTextError,
  CborTooLargeError,
  CborTrailingBytesError,
  CborTruncatedError,
  CborTypeError,
  CborValueError,
} from "../../../client/errors/cose.ts"

type Refusal = [name: string, hex: string, error: new (...parameters: never[]) => Error, options?: StrictCborOptions]

/** THREATS X8: one vector for each way to be ambiguous or expensive. */
const REFUSALS: Refusal[] = [
  ["nothing at all", "", CborTruncatedError],
  ["a cut integer", "19 01", CborTruncatedError],
  ["a cut byte string", "44 010203", CborTruncatedError],
  ["a byte string of 2^64-1 bytes", "5b ffffffffffffffff", CborTruncatedError],
  ["a text string of 2^32-1 bytes", "7a ffffffff 61", CborTruncatedError],
  ["an array of 2^32-1 items", "9a ffffffff", CborTruncatedError],
  ["an array of 2^64-1 items", "9b ffffffffffffffff 00", CborTruncatedError],
  ["a map of 2^63 pairs", "bb 8000000000000000 00", CborTruncatedError],
  ["a map of two pairs with bytes for one", "a2 0102", CborTruncatedError],
  ["an array that lacks its last item", "82 01", CborTruncatedError],
  ["a tag around nothing", "c2", CborTruncatedError],
  ["a cut float", "f9 00", CborTruncatedError, { extended: true }],
  ["a byte behind", "01 00", CborTrailingBytesError],
  ["a second item", "80 80", CborTrailingBytesError],
  ["17 arrays in one another", `${"81".repeat(17)}00`, CborDepthError],
  ["100,000 arrays in one another", "81".repeat(100_000), CborTooLargeError],
  ["60,000 arrays in one another", `${"81".repeat(60_000)}00`, CborDepthError],
  ["60,000 tags in one another", `${"c1".repeat(60_000)}00`, CborDepthError],
  ["17 maps in one another", `${"a101".repeat(17)}00`, CborDepthError],
  ["more bytes than allowed", "43 010203", CborTooLargeError, { maxBytes: 3 }],
  ["an indefinite byte string", "5f 4101 ff", CborIndefiniteLengthError],
  ["an indefinite text string", "7f 6161 ff", CborIndefiniteLengthError],
  ["an indefinite array", "9f 01 ff", CborIndefiniteLengthError],
  ["an indefinite map", "bf 01 02 ff", CborIndefiniteLengthError],
  ["a stray break", "ff", CborIndefiniteLengthError],
  ["a break inside an array", "82 01 ff", CborIndefiniteLengthError],
  ["23 in two bytes", "18 17", CborNotShortestError],
  ["255 in three bytes", "19 00ff", CborNotShortestError],
  ["65,535 in five bytes", "1a 0000ffff", CborNotShortestError],
  ["2^32-1 in nine bytes", "1b 00000000ffffffff", CborNotShortestError],
  ["-1 in two bytes", "38 00", CborNotShortestError],
  ["a length in two bytes", "58 01 00", CborNotShortestError],
  ["a count in two bytes", "98 01 00", CborNotShortestError],
  ["a tag in two bytes", "d8 12 00", CborNotShortestError],
  ["1.5 as a single", "fa 3fc00000", CborNotShortestError, { extended: true }],
  ["1.5 as a double", "fb 3ff8000000000000", CborNotShortestError, { extended: true }],
  ["a subnormal half as a single", "fa 33800000", CborNotShortestError, { extended: true }],
  ["infinity as a single", "fa 7f800000", CborNotShortestError, { extended: true }],
  ["NaN as a double", "fb 7ff8000000000000", CborNotShortestError, { extended: true }],
  ["a key twice", "a2 0100 0101", CborDuplicateKeyError],
  ["a key twice, unsorted", "a3 0200 0101 0200", CborDuplicateKeyError, { sorted: false }],
  ["a text key twice", "a2 616101 616102", CborDuplicateKeyError],
  ["a key twice in a map inside", "81 a2 0100 0101", CborDuplicateKeyError],
  ["keys out of order", "a2 0200 0100", CborKeyOrderError],
  ["keys in length-first order", "a2 20f6 1818f6", CborKeyOrderError],
  ["bad UTF-8", "62 c328", CborTextError],
  ["a lone surrogate in UTF-8", "63 eda080", CborTextError],
  ["an overlong form in UTF-8", "62 c080", CborTextError],
  ["cut UTF-8", "61 c3", CborTextError],
  ["additional information 28", "1c", CborReservedError],
  ["additional information 30", "5e", CborReservedError],
  ["an integer of indefinite length", "1f", CborReservedError],
  ["a tag of indefinite length", "df 00", CborReservedError],
  ["false in two bytes", "f8 14", CborReservedError],
  ["simple value 24", "f8 18", CborReservedError, { extended: true }],
  ["a float", "f9 3e00", CborTypeError],
  ["undefined", "f7", CborTypeError],
  ["simple value 16", "f0", CborTypeError],
  ["simple value 255", "f8 ff", CborTypeError],
  ["an array as a map key", "a1 8001", CborTypeError],
  ["a map as a map key", "a1 a001", CborTypeError],
  ["a tagged map key", "a1 c10101", CborTypeError],
  ["true as a map key", "a1 f501", CborTypeError],
  ["a float as a map key", "a1 f93e0001", CborTypeError, { extended: true }],
]

const bytesOf = (hex: string): Uint8Array => fromHex(`0x${hex.replaceAll(" ", "")}`)

describe("decodeCbor", () => {
  it.each(REFUSALS)("refuses %s by name", (_, hex, error, options) => {
    expect(() => decodeCbor(bytesOf(hex), options)).toThrow(error)
    expect(() => decodeCbor(bytesOf(hex), options)).toThrow(CborError)
  })

  it.each<[hex: string, value: CborValue]>([
    ["00", 0],
    ["1b 001fffffffffffff", Number.MAX_SAFE_INTEGER],
    ["1b 0020000000000000", 2n ** 53n],
    ["1b ffffffffffffffff", 2n ** 64n - 1n],
    ["3b ffffffffffffffff", -(2n ** 64n)],
    ["20", -1],
    ["40", new Uint8Array(0)],
    ["43 010203", Uint8Array.of(1, 2, 3)],
    ["63 e6b0b4", "水"],
    ["64 efbbbf61", "\uFEFFa"],
    ["80", []],
    ["82 f4 f6", [false, null]],
    [
      "a3 01 02 20 03 6161 04",
      new Map<CborValue, CborValue>([
        [1, 2],
        [-1, 3],
        ["a", 4],
      ]),
    ],
    [`${"81".repeat(16)}00`, JSON.parse(`${"[".repeat(16)}0${"]".repeat(16)}`) as CborValue],
  ])("reads %s", (hex, value) => {
    expect(decodeCbor(bytesOf(hex))).toEqual(value)
  })

  it("refuses a count by what it declares, before it reads a single element", () => {
    const truncated = (hex: string, declared: bigint, left: number): void => {
      expect(() => decodeCbor(bytesOf(hex))).toThrow(new CborTruncatedError({ offset: 0, declared, left }))
    }
    truncated("9a ffffffff 0000", 0xffff_ffffn, 2)
    truncated("83 0000", 3n, 2)
    truncated("a2 010002", 4n, 3)
    truncated("bb ffffffffffffffff 0000", 2n * (2n ** 64n - 1n), 2)
  })

  it("reads a NaN whose payload needs its length, when numbers of that kind are allowed", () => {
    for (const hex of ["f97e00", "fa7fc00001", "fb7ff8000000000001"]) {
      expect(decodeCbor(bytesOf(hex), { extended: true })).toBeNaN()
    }
  })

  it("leaves tags alone: a date, a bignum, a URL and a pattern are bytes and text under a number", () => {
    for (const [hex, tag] of [
      ["c0 6161", 0],
      ["c1 01", 1],
      ["c2 49 010000000000000000", 2],
      ["d8 20 6161", 32],
      ["d8 23 632e2a28", 35],
      ["d9 0102 80", 258],
    ] as const) {
      const value = decodeCbor(bytesOf(hex))
      expect(value).toBeInstanceOf(CborTag)
      expect((value as CborTag).tag).toBe(tag)
    }
  })

  it("reads unsorted maps only when told to, and keeps their order", () => {
    const bytes = bytesOf("a2 0200 0100")
    expect([...(decodeCbor(bytes, { sorted: false }) as Map<CborValue, CborValue>).keys()]).toEqual([2, 1])
  })

  it("takes a key that would be a property of every object for what it is", () => {
    const map = decodeCbor(bytesOf("a1 69 5f5f70726f746f5f5f 01")) as Map<CborValue, CborValue>
    expect(map.get("__proto__")).toBe(1)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  it("gives out no Buffer and shares no memory with its input", () => {
    const input = Buffer.from("82420102 a1 01 4103".replaceAll(" ", ""), "hex")
    const [first, map] = decodeCbor(input) as [Uint8Array, Map<CborValue, Uint8Array>]
    expect(first.constructor).toBe(Uint8Array)
    expect(map.get(1)!.constructor).toBe(Uint8Array)
    input.fill(0)
    expect(first).toEqual(Uint8Array.of(1, 2))
  })

  it("reads from the middle of a larger array", () => {
    expect(decodeCbor(bytesOf("ffff 8201 4102 ff").subarray(2, 6))).toEqual([1, Uint8Array.of(2)])
  })

  it("is fast on the largest hostile input", () => {
    const wide = new Uint8Array(65_536).fill(0x80)
    wide.set([0x99, 0xff, 0xfd], 0)
    const nested = new Uint8Array(65_536).fill(0x61)
    const started = performance.now()
    expect(decodeCbor(wide)).toHaveLength(0xfffd)
    expect(() => decodeCbor(nested)).toThrow(CborError)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe("decodeCbor on RFC 8949, Appendix A", () => {
  type Example = { hex: string; roundtrip: boolean; decoded?: unknown; diagnostic?: string }
  const url = new URL("../../vectors/cbor/appendix_a.json", import.meta.url)
  const examples = JSON.parse(readFileSync(url, "utf8")) as Example[]

  /** Not in deterministic form, or (f818) no longer CBOR at all since RFC 7049: must be refused. */
  const refused = examples.filter(({ hex, roundtrip }) => !roundtrip || hex === "f818")
  const read = examples.filter((example) => !refused.includes(example))

  it("holds all 82", () => expect(examples).toHaveLength(82))

  it.each(refused)("refuses $hex", ({ hex }) => {
    expect(() => decodeCbor(bytesOf(hex), { extended: true })).toThrow(CborError)
  })

  it.each(read)("reads $hex and writes it again", ({ hex }) => {
    const value = decodeCbor(bytesOf(hex), { extended: true })
    const isWholeFloat = hex.startsWith("f") && typeof value === "number" && Number.isInteger(value)
    // JavaScript has one 1.0: whole floats come back as integers, or not at all when they are too large.
    if (!isWholeFloat) expect(toHex(encodeCbor(value, { extended: true }))).toBe(`0x${hex}`)
    expect(isWholeFloat).toBe(/^f[9ab]/.test(hex) && Number.isInteger(value as number))
  })

  it.each(read.filter(({ decoded, hex }) => decoded !== undefined && !hex.startsWith("c")))(
    "reads $hex as $decoded",
    ({ hex, decoded }) => {
      expect(plain(decodeCbor(bytesOf(hex), { extended: true }))).toEqual(plain(decoded))
    },
  )
})

/** As JSON has it: maps as objects, and numbers as JSON.parse reads them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value)
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]))
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
    : value
}

describe("encodeCbor", () => {
  it("sorts keys by the bytes of their encoding", () => {
    const map = new Map<CborValue, CborValue>(["aa", "b", -1, 100, 24, 1].map((key) => [key, null]))
    expect(toHex(encodeCbor(map))).toBe("0xa601f61818f61864f620f66162f6626161f6")
  })

  it("writes a Buffer as a byte string", () => {
    expect(toHex(encodeCbor([Buffer.from([1, 2])]))).toBe("0x81420102")
  })

  it("writes what decodeCbor reads as the same", () => {
    const leaf = fc.oneof(
      fc.maxSafeInteger(),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
      fc.string({ unit: "grapheme" }),
      fc.uint8Array({ maxLength: 30 }),
      fc.constantFrom(true, false, null),
    )
    const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie("value"), { maxLength: 4 }),
        fc
          .array(fc.tuple(fc.oneof(fc.integer(), fc.string({ unit: "grapheme" })), tie("value")), { maxLength: 4 })
          .map((entries): CborValue => new Map(entries)),
      ),
    }))
    fc.assert(
      fc.property(value, (any) => {
        const bytes = encodeCbor(any)
        const again = decodeCbor(bytes)
        expect(encodeCbor(again)).toEqual(bytes)
        expect(sorted(again)).toEqual(sorted(any))
      }),
      { numRuns: 500 },
    )
  })

  it.each<[string, unknown]>([
    ["an unsafe integer", 2 ** 53],
    ["a bigint of 65 bits", 2n ** 64n],
    ["a negative bigint of 66 bits", -(2n ** 64n) - 1n],
    ["a lone surrogate", "\ud800"],
    ["a plain object", { a: 1 }],
    ["a Date", new Date(0)],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a Set inside", [new Set([1])]],
    ["a typed array other than Uint8Array", new Uint16Array(1)],
  ])("refuses %s", (_, value) => {
    expect(() => encodeCbor(value as CborValue)).toThrow(CborValueError)
  })

  it("refuses a value that holds itself", () => {
    const list: CborValue[] = []
    list.push(list)
    expect(() => encodeCbor(list)).toThrow(CborValueError)
  })

  it("refuses floats, undefined, and two keys that are equal as bytes", () => {
    expect(() => encodeCbor(1.5)).toThrow(CborTypeError)
    expect(() => encodeCbor(NaN)).toThrow(CborTypeError)
    expect(() => encodeCbor([undefined])).toThrow(CborTypeError)
    const twice = new Map<CborValue, CborValue>([
      [Uint8Array.of(1), 1],
      [Uint8Array.of(1), 2],
    ])
    expect(() => encodeCbor(twice)).toThrow(CborDuplicateKeyError)
    expect(() => encodeCbor(new Uint8Array(100), { maxBytes: 100 })).toThrow(CborTooLargeError)
  })
})

/** Map entries in the order of their keys, so that equal maps compare equal. */
function sorted(value: CborValue): unknown {
  if (Array.isArray(value)) return value.map((item: CborValue) => sorted(item))
  if (!(value instanceof Map)) return Object.is(value, -0) ? 0 : value
  const entries = [...(value as ReadonlyMap<CborValue, CborValue>)].map(([key, item]) => [
    toHex(encodeCbor(key)),
    sorted(item),
  ])
  return entries.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

describe("decodeCbor on noise", () => {
  it("only ever throws a CborError, and what it reads has no other encoding", () => {
    const byte = fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0x81, 0xa1, 0x82, 0x41, 0x61, 0xc1, 0x18, 0x00, 0xf6))
    const options = fc.record({ sorted: fc.boolean(), extended: fc.boolean() })
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), options, (noise, some) => {
        const bytes = Uint8Array.from(noise)
        try {
          const value = decodeCbor(bytes, some)
          if (some.sorted && !some.extended) expect(encodeCbor(value)).toEqual(bytes)
        } catch (error) {
          if (!(error instanceof CborError)) throw error
        }
      }),
      { numRuns: 10_000 },
    )
  })
})
