import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DerReader, oidText } from "../../../client/crypto/derReader.ts"
import { derBitString, derElement, derOctetString, derSequence, derUnsigned } from "../../../client/crypto/derWriter.ts"
import { concatBytes, fromHex } from "../../../client/crypto/hex.ts"
import { assertStrictDer, DER_LIMITS } from "../../../client/crypto/strictDer.ts"
import {
  DerError,
  DerInputError,
  DerLengthError,
  DerLimitError,
  DerTagError,
  DerTrailingBytesError,
  DerTruncatedError,
  DerValueError,
} from "../../../client/errors/x509.ts"

type ErrorClass = new (...values: never[]) => Error

const nested = (depth: number) => {
  let der = derSequence()
  for (let i = 1; i < depth; i++) der = derSequence(der)
  return der
}

describe("assertStrictDer", () => {
  const refused: [string, string, ErrorClass][] = [
    ["nothing at all", "0x", DerTruncatedError],
    ["a tag alone", "0x30", DerTruncatedError],
    ["a length past the end", "0x30030201", DerTruncatedError],
    ["a child past its parent's end", "0x3003020201", DerTruncatedError],
    ["a grandchild past its parent's end", "0x300730030202010201", DerTruncatedError],
    ["length octets that are cut", "0x3082", DerTruncatedError],
    ["bytes behind", "0x300000", DerTrailingBytesError],
    ["the indefinite length", "0x30800000", DerLengthError],
    ["the indefinite length inside", "0x300430800000", DerLengthError],
    ["the reserved length octet", "0x30ff", DerLengthError],
    ["a long form where the short one fits", "0x308100", DerLengthError],
    ["a length with a leading zero", "0x3082000100", DerLengthError],
    ["five length octets", "0x30850000000000", DerLengthError],
    ["end-of-contents", "0x0000", DerTagError],
    ["end-of-contents inside", "0x30020000", DerTagError],
    ["a high tag number below 31", "0x9f1e00", DerTagError],
    ["a high tag number with a leading zero", "0x9f801f00", DerTagError],
    ["a high tag number without end", "0x9fffffffffffff7f00", DerTagError],
    ["a high tag number that is cut", "0x9f", DerTruncatedError],
    ["a constructed OCTET STRING", "0x2403040100", DerTagError],
    ["a constructed BIT STRING", "0x230403020000", DerTagError],
    ["a constructed INTEGER", "0x22020500", DerTagError],
    ["a constructed UTF8String", "0x2c020c00", DerTagError],
    ["a primitive SEQUENCE", "0x1000", DerTagError],
    ["a primitive SET", "0x1100", DerTagError],
    ["BOOLEAN 01", "0x010101", DerValueError],
    ["BOOLEAN without content", "0x0100", DerValueError],
    ["BOOLEAN of two octets", "0x0102ffff", DerValueError],
    ["INTEGER without content", "0x0200", DerValueError],
    ["a padded positive INTEGER", "0x0202007f", DerValueError],
    ["a padded negative INTEGER", "0x0202ff80", DerValueError],
    ["a padded ENUMERATED", "0x0a020001", DerValueError],
    ["NULL with content", "0x050100", DerValueError],
    ["BIT STRING without content", "0x0300", DerValueError],
    ["BIT STRING with 8 unused bits", "0x03020800", DerValueError],
    ["BIT STRING with unused bits of nothing", "0x030101", DerValueError],
    ["BIT STRING with unused bits set", "0x03020101", DerValueError],
    ["OBJECT IDENTIFIER without content", "0x0600", DerValueError],
    ["a padded OBJECT IDENTIFIER", "0x06032a8001", DerValueError],
    ["an OBJECT IDENTIFIER that is cut", "0x06022a86", DerValueError],
    ["an OBJECT IDENTIFIER of 129 octets", `0x068181${"01".repeat(129)}`, DerValueError],
  ]
  for (const [what, hex, errorClass] of refused) {
    it(`refuses ${what} as ${errorClass.name}`, () => {
      expect(() => assertStrictDer(fromHex(hex))).toThrow(DerError)
      expect(() => assertStrictDer(fromHex(hex))).toThrow(errorClass)
    })
  }

  const accepted: [string, string][] = [
    ["an empty SEQUENCE", "0x3000"],
    ["TRUE and FALSE", "0x30060101ff010100"],
    ["zero, -1, 127, 128, -128, -129", "0x30140201000201ff02017f020200800201800202ff7f"],
    ["a BIT STRING with unused bits clear", "0x03020780"],
    ["an empty BIT STRING", "0x030100"],
    ["a high tag number in its shortest form", "0x9f1f00"],
    ["a length of 128 octets in long form", `0x048180${"00".repeat(128)}`],
    ["a SET in any order", "0x3106020102020101"],
  ]
  for (const [what, hex] of accepted) {
    it(`accepts ${what}`, () => {
      expect(() => assertStrictDer(fromHex(hex))).not.toThrow()
    })
  }

  it("stops at its limits on size, depth and elements", () => {
    expect(() => assertStrictDer(nested(DER_LIMITS.depth))).not.toThrow()
    expect(() => assertStrictDer(nested(DER_LIMITS.depth + 1))).toThrow(DerLimitError)
    const nulls = (count: number) => derSequence(new Uint8Array(2 * count).map((_, i) => (i % 2 === 0 ? 5 : 0)))
    expect(() => assertStrictDer(nulls(DER_LIMITS.elements - 1))).not.toThrow()
    expect(() => assertStrictDer(nulls(DER_LIMITS.elements))).toThrow(DerLimitError)
    expect(() => assertStrictDer(derOctetString(new Uint8Array(DER_LIMITS.octets - 4)))).not.toThrow()
    expect(() => assertStrictDer(derOctetString(new Uint8Array(DER_LIMITS.octets - 3)))).toThrow(DerLimitError)
  })

  it("ends at once on 10,000 nested elements and on 16 MiB", () => {
    const started = performance.now()
    const deep = new Uint8Array(20_000).map((_, i) => (i % 2 === 0 ? 0x30 : 0x80))
    expect(() => assertStrictDer(deep)).toThrow(DerError)
    expect(() => assertStrictDer(new Uint8Array(16 << 20).fill(0x30))).toThrow(DerLimitError)
    expect(performance.now() - started).toBeLessThan(200)
  })

  it("says by name that the input is no Uint8Array", () => {
    for (const input of [undefined, null, "3000", [0x30, 0], new ArrayBuffer(2), 5]) {
      expect(() => assertStrictDer(input as unknown as Uint8Array)).toThrow(DerInputError)
    }
  })

  it("names the octet at fault", () => {
    try {
      assertStrictDer(fromHex("0x3006020100010101"))
      expect.unreachable()
    } catch (error) {
      expect((error as DerError).offset).toBe(5)
    }
  })

  it("throws nothing but DerError, whatever the bytes", () => {
    const pieces = fc.constantFrom(
      0x30,
      0x31,
      0x02,
      0x03,
      0x04,
      0x06,
      0x80,
      0x81,
      0x82,
      0xa0,
      0xff,
      0x00,
      0x01,
      0x02,
      0x1f,
    )
    const bytes = fc.array(fc.oneof(pieces, fc.nat(255)), { maxLength: 60 }).map((list) => Uint8Array.from(list))
    let accepted = 0
    fc.assert(
      fc.property(bytes, (der) => {
        try {
          assertStrictDer(der)
          accepted++
        } catch (error) {
          expect(error).toBeInstanceOf(DerError)
        }
      }),
      { numRuns: 20_000 },
    )
    expect(accepted, "some of them are DER").toBeGreaterThan(20)
  })

  it("accepts all that the writer makes", () => {
    const leaf = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(derOctetString),
      fc.uint8Array({ maxLength: 40 }).map(derBitString),
      fc.uint8Array({ maxLength: 40 }).map(derUnsigned),
    )
    const tree = fc.letrec<{ node: Uint8Array }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 6 },
        leaf,
        fc.array(tie("node"), { maxLength: 5 }).map((children) => derSequence(...children)),
        fc.array(tie("node"), { maxLength: 3 }).map((children) => derElement(0xa3, ...children)),
      ),
    })).node
    fc.assert(fc.property(tree, (der) => assertStrictDer(der)))
  })
})

describe("DerReader", () => {
  it("hands out slices of the input and refuses what it was not told to expect", () => {
    const der = derSequence(derUnsigned(Uint8Array.of(5)), derBitString(Uint8Array.of(1, 2)))
    const reader = new DerReader(der).enter(0x30, "outer")
    const number = reader.integer("number")
    expect(number).toEqual(Uint8Array.of(5))
    expect(number.buffer).toBe(der.buffer)
    expect(() => reader.read(0x04, "octets")).toThrow(DerTagError)
    expect(() => reader.finish()).toThrow(DerTrailingBytesError)
    expect(reader.bitString("bits")).toEqual(Uint8Array.of(1, 2))
    reader.finish()
    expect(() => reader.read(0x02, "more")).toThrow(DerTruncatedError)
    expect(reader.readIf(0x02, "more")).toBeUndefined()
  })

  it("refuses unused bits where whole octets are meant", () => {
    const reader = new DerReader(fromHex("0x03020780"))
    expect(() => reader.bitString("signature")).toThrow(DerValueError)
  })
})

describe("oidText", () => {
  const known: [string, string][] = [
    ["0x2a8648ce3d0201", "1.2.840.10045.2.1"],
    ["0x00", "0.0"],
    ["0x27", "0.39"],
    ["0x28", "1.0"],
    ["0x4f", "1.39"],
    ["0x50", "2.0"],
    ["0x8837", "2.999"],
    ["0x551d13", "2.5.29.19"],
    ["0x2b8fffffff7f", "1.3.4294967295"],
  ]
  for (const [hex, text] of known) {
    it(`reads ${text}`, () => expect(oidText(fromHex(hex))).toBe(text))
  }

  it("reads arcs of any size exactly", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 1n << 128n), fc.bigInt(0n, 1n << 70n), (first, second) => {
        const content = concatBytes(base128(first + 80n), base128(second))
        expect(oidText(content)).toBe(`2.${first}.${second}`)
      }),
    )
  })
})

function base128(value: bigint): Uint8Array {
  const octets = [Number(value & 0x7fn)]
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80)
  return Uint8Array.from(octets)
}
