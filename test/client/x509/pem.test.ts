import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import { FleetrootError } from "../../../client/errors/base.ts"
import { PemBlockMissingError, PemBlocksManyError, PemMalformedError } from "../../../client/errors/x509.ts"
import { decodePem, encodePem, readOneCertificate } from "../../../client/x509/pem.ts"

const der = Uint8Array.of(0x30, 3, 2, 1, 5)
const block = encodePem("CERTIFICATE", der)
const body = (base64: string) => `-----BEGIN X-----\n${base64}\n-----END X-----\n`

describe("decodePem", () => {
  it("reads what encodePem writes, which openssl's line length allows", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
        const text = encodePem("A B", bytes)
        expect(text.split("\n").every((line) => line.length <= 64)).toBe(true)
        expect(decodePem(text)).toEqual([{ label: "A B", der: bytes }])
      }),
    )
  })

  it("skips text around blocks, reads CR LF, spaces and one long line, and knows labels apart", () => {
    const windows = block.replaceAll("\n", "\r\n")
    const other = encodePem("EC PARAMETERS", Uint8Array.of(6, 0))
    expect(decodePem(`Bag Attributes\n  a: b\n${windows}text -----BEGIN here-----\n${other}`)).toHaveLength(2)
    expect(decodePem(other + block, "CERTIFICATE")).toEqual([{ label: "CERTIFICATE", der }])
    expect(decodePem(`\ufeff${block}`, "CERTIFICATE")).toHaveLength(1)
    expect(decodePem(body(" AQID \n\t BAUG "))[0]?.der).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6))
    expect(decodePem("-----BEGIN X-----AQID-----END X-----".replace("-----AQID", "-----\nAQID\n"))).toHaveLength(1)
    expect(decodePem("")).toEqual([])
  })

  const refused: [string, string][] = [
    ["a block without its end", "-----BEGIN X-----\nAQID\n"],
    ["an end of another label", "-----BEGIN X-----\nAQID\n-----END Y-----\n"],
    ["a block inside a block", `-----BEGIN X-----\nAQID\n${body("AQID")}`],
    ["a BEGIN line that is not complete", "-----BEGIN X----\nAQID\n-----END X-----"],
    ["a BEGIN line with more behind it", "-----BEGIN X-----AQID\n-----END X-----"],
    ["an empty block", body("")],
    ["characters of base64url", body("AQ-_")],
    ["headers", body("Proc-Type: 4,ENCRYPTED\n\nAQID")],
    ["one character too many", body("AQIDB")],
    ["missing padding", body("AQI")],
    ["padding in the middle", body("AQ==AQID")],
    ["three padding characters", body("A===")],
    ["padding alone", body("====")],
    ["bits left over", body("AR==")],
    ["bits left over, two octets", body("AQJ=")],
    ["a NUL", body("AQ\u0000ID")],
    ["full-width letters", body("\uff21QID")],
  ]
  for (const [what, text] of refused) {
    it(`refuses ${what}`, () => expect(() => decodePem(text)).toThrow(PemMalformedError))
  }

  it("names the line at fault", () => {
    try {
      decodePem(`one\ntwo\n${body("AQID\nAQ*D")}`)
      expect.unreachable()
    } catch (error) {
      expect((error as PemMalformedError).line).toBe(5)
    }
  })

  it("takes time in proportion to the text", () => {
    const started = performance.now()
    expect(() => decodePem("-----BEGIN ".repeat(100_000))).toThrow(PemMalformedError)
    expect(decodePem("-----BEGIN X-----".replace("-----B", "----B").repeat(100_000))).toEqual([])
    expect(() => decodePem(`-----BEGIN X-----\n${"\n".repeat(1_000_000)}`)).toThrow(PemMalformedError)
    expect(decodePem(block.repeat(20_000))).toHaveLength(20_000)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe("readOneCertificate", () => {
  const utf8 = (text: string) => new TextEncoder().encode(text)

  it("reads PEM text, PEM bytes, DER and a Buffer of DER, into a plain Uint8Array", () => {
    for (const input of [block, utf8(block), der, Buffer.from(der), Buffer.from(block)]) {
      const found = readOneCertificate(input)
      expect(toHex(found)).toBe(toHex(der))
      expect(found.constructor).toBe(Uint8Array)
    }
  })

  it("leaves out the private key that stands beside the certificate", () => {
    expect(readOneCertificate(encodePem("PRIVATE KEY", Uint8Array.of(1)) + block)).toEqual(der)
  })

  it("refuses none and several by name", () => {
    const none = ["", "hello", encodePem("PRIVATE KEY", Uint8Array.of(1)), encodePem("TRUSTED CERTIFICATE", der)]
    for (const input of none) expect(() => readOneCertificate(input)).toThrow(PemBlockMissingError)
    expect(() => readOneCertificate(new Uint8Array(0))).toThrow(PemBlockMissingError)
    expect(() => readOneCertificate(block + block)).toThrow(PemBlocksManyError)
    expect(() => readOneCertificate(encodePem("CERTIFICATE REQUEST", der))).toThrow("CERTIFICATE REQUEST")
  })

  it("throws nothing but our errors, whatever the text", () => {
    const pieces = fc.constantFrom(
      "-----BEGIN ",
      "CERTIFICATE",
      "-----",
      "-----END ",
      "\n",
      "AQID",
      "=",
      "\r\n",
      "é",
      "--",
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (list) => {
        try {
          readOneCertificate(list.join(""))
        } catch (error) {
          expect(error).toBeInstanceOf(FleetrootError)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
