import { describe, expect, it } from "vitest"
import { formatReleaseFile, parseReleaseFile, productId, productName } from "../../../client/index.ts"
import type { ReleaseDraft } from "../../../client/index.ts"

const DRAFT: ReleaseDraft = {
  chainId: 31_337,
  registry: `0x${"12".repeat(20)}`,
  manufacturerId: 2,
  product: productId("acme-9271"),
  securityVersion: 7,
  imageDigest: `0x${"cd".repeat(32)}`,
  manifestDigest: undefined,
  version: "1.4.0",
  uri: "https://a.example/x",
  signatures: [{ keyId: `0x${"01".repeat(32)}`, r: `0x${"02".repeat(32)}`, s: `0x${"03".repeat(32)}` }],
}
const TEXT = formatReleaseFile(DRAFT)

/** The file with one value in another spelling. */
function changed(field: string, value: string): string {
  const before = new RegExp(`"${field}": ("[^"]*"|null)`)
  expect(TEXT).toMatch(before)
  return TEXT.replace(before, `"${field}": ${value}`)
}

describe("the release file", () => {
  it("gives back what was put in, with white space of any kind", () => {
    expect(parseReleaseFile(TEXT)).toEqual(DRAFT)
    expect(parseReleaseFile(JSON.stringify(JSON.parse(TEXT)))).toEqual(DRAFT)
    expect(parseReleaseFile(TEXT.replaceAll("\n", "\r\n\t"))).toEqual(DRAFT)
    const whole = { ...DRAFT, manifestDigest: `0x${"ef".repeat(32)}` as const, uri: "", signatures: [], version: "é ☃" }
    expect(parseReleaseFile(formatReleaseFile(whole))).toEqual(whole)
  })

  it("names a product that has no name by its octets", () => {
    const odd = { ...DRAFT, product: `0x${"ff".repeat(32)}` as const }
    expect(formatReleaseFile(odd)).toContain('"productName": null')
    expect(parseReleaseFile(formatReleaseFile(odd))).toEqual(odd)
  })

  it.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", "release"],
    ["a list", "[]"],
    ["null", "null"],
    ["a number", "7"],
    ["JSON that is cut", TEXT.slice(0, -3)],
    ["something behind it", `${TEXT}{}`],
    ["another format", changed("format", '"fleetroot-release-2"')],
    ["a field too many", TEXT.replace('"uri"', '"more": "x",\n  "uri"')],
    ["a prototype", TEXT.replace('"uri"', '"__proto__": {"x": 1},\n  "uri"')],
    ["a field missing", TEXT.replace(/ *"uri": "[^"]*",\n/, "")],
    ["a field twice", TEXT.replace('"uri"', '"version": "9.9.9",\n  "uri"')],
    ["an escaped key", TEXT.replace('"uri"', '"u\\u0072i"')],
    ["a number as a number", changed("securityVersion", "7")],
    ["an exponent", changed("securityVersion", '"1e1"')],
    ["a leading zero", changed("securityVersion", '"07"')],
    ["a space", changed("securityVersion", '" 7"')],
    ["nothing for a number", changed("securityVersion", '""')],
    ["zero", changed("securityVersion", '"0"')],
    ["a negative number", changed("securityVersion", '"-7"')],
    ["half a number", changed("securityVersion", '"7.5"')],
    ["a number beyond 2^53", changed("chainId", '"9007199254740993"')],
    ["a manufacturer beyond 32 bits", changed("manufacturerId", '"4294967296"')],
    ["a security version beyond 40 bits", changed("securityVersion", '"1099511627776"')],
    ["an address in capitals", changed("registry", `"0x${"AB".repeat(20)}"`)],
    ["a short address", changed("registry", '"0x12"')],
    ["a digest of zeros", changed("imageDigest", `"0x${"0".repeat(64)}"`)],
    ["a digest too long", changed("imageDigest", `"0x${"ab".repeat(33)}"`)],
    ["another product's name", changed("productName", '"acme-9272"')],
    ["a version with a line break", changed("version", '"1\\n4"')],
    ["a version too long", changed("version", `"${"1".repeat(65)}"`)],
    ["a URI with a control character", changed("uri", '"https://a/\\u007f"')],
    ["a URI too long", changed("uri", `"${"u".repeat(513)}"`)],
    ["half a surrogate pair", changed("version", '"\\ud800"')],
    ["signatures that are no list", TEXT.replace(/"signatures": \[[^\]]*\]/, '"signatures": {}')],
    ["a signature without r", TEXT.replace(/ *"r": "[^"]*",\n/, "")],
    ["a signature with more", TEXT.replace('"r":', '"v": "27", "r":')],
    ["a signature of 31 octets", TEXT.replace("02".repeat(32), "02".repeat(31))],
    ["one key twice", formatReleaseFile({ ...DRAFT, signatures: [...DRAFT.signatures, ...DRAFT.signatures] })],
    ["nine signatures", formatReleaseFile({ ...DRAFT, signatures: Array.from({ length: 9 }, signature) })],
    ["a file without end", `${TEXT}${" ".repeat(20_000)}`],
  ])("refuses %s by name", (_what, text) => {
    expect(() => parseReleaseFile(text)).toThrow(expect.objectContaining({ code: "RELEASE_FILE" }))
    expect(({} as { x?: number }).x).toBeUndefined()
  })
})

describe("products", () => {
  it.each(["a", "acme-9271", "ä".repeat(16), "x".repeat(32), " "])("are named %j", (name) => {
    expect(productName(productId(name))).toBe(name)
  })

  it.each(["", "x".repeat(33), "ä".repeat(17), "a\u0000", "a\nb", "\u007f", "0xabc", `0x${"0".repeat(64)}`, "\ud800"])(
    "are not named %j",
    (name) => {
      expect(() => productId(name)).toThrow(expect.objectContaining({ code: "RELEASE_FIELD" }))
    },
  )

  it("may be 32 octets that spell nothing", () => {
    const id = `0x${"fe".repeat(32)}` as const
    expect([productId(id), productName(id)]).toEqual([id, undefined])
    expect(productName(`0x${"61".repeat(4)}00${"61".repeat(27)}`)).toBeUndefined()
  })
})

function signature(_: unknown, i: number) {
  const octet = (i + 1).toString(16).padStart(2, "0")
  return { keyId: `0x${octet.repeat(32)}`, r: `0x${"02".repeat(32)}`, s: `0x${"03".repeat(32)}` } as const
}
