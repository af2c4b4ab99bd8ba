import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { concatBytes, equalBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { sha256, sha256Hex } from "../../../client/crypto/sha256.ts"
import { HexInvalidError } from "../../../client/errors/crypto.ts"

describe("fromHex", () => {
  it("reads what toHex writes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => equalBytes(fromHex(toHex(bytes)), bytes)))
    expect(fromHex("0xAbCd")).toEqual(Uint8Array.of(0xab, 0xcd))
    expect(fromHex("0x")).toEqual(new Uint8Array(0))
  })

  const refused: [string, unknown][] = [
    ["no text", ""],
    ["no prefix", "abcd"],
    ["an upper-case prefix", "0Xabcd"],
    ["an odd number of digits", "0xabc"],
    ["a space in front", " 0xab"],
    ["a space behind", "0xab "],
    ["a sign", "0x-1"],
    ["a letter that is no digit", "0xag"],
    ["full-width digits", "0x\uff11\uff12"],
    ["a number", 12],
    ["nothing", undefined],
  ]
  for (const [what, input] of refused) {
    it(`refuses ${what} by name`, () => {
      expect(() => fromHex(input as string)).toThrow(HexInvalidError)
    })
  }

  it("does not repeat the text in the error, since it may be a private key", () => {
    const secret = `0x${"5e".repeat(31)}zz`
    try {
      fromHex(secret)
      expect.unreachable()
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain("5e5e")
      expect((error as HexInvalidError).position).toBe(64)
    }
  })
})

describe("equalBytes and concatBytes", () => {
  it("tell lengths and contents apart", () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false)
    expect(concatBytes()).toEqual(new Uint8Array(0))
    expect(concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
  })
})

describe("sha256", () => {
  it("equals OpenSSL's over the parts one after another", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (parts) => {
        const expected = createHash("sha256").update(Buffer.concat(parts)).digest("hex")
        expect(sha256Hex(...parts)).toBe(`0x${expected}`)
        expect(toHex(sha256(...parts))).toBe(`0x${expected}`)
      }),
    )
  })

  it("gives a plain Uint8Array that nobody else holds", () => {
    const first = sha256(Uint8Array.of(1))
    expect(first.constructor).toBe(Uint8Array)
    expect(first.buffer.byteLength).toBe(32)
    expect(keyIdOf(Uint8Array.of(1))).toBe(toHex(first))
  })
})
