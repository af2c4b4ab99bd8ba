import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import type { BatchRow } from "../../../client/batch/batchRow.ts"
import { readLines } from "../../../client/batch/readLines.ts"
import { rowsFromCsv } from "../../../client/batch/rowsFromCsv.ts"
import { rowsFromNdjson } from "../../../client/batch/rowsFromNdjson.ts"
import { rowsFromPem } from "../../../client/batch/rowsFromPem.ts"
import { encodePem } from "../../../client/x509/pem.ts"
import { NOW, TestFleet, YEAR, collect, hashOf, pieces } from "./testFleet.ts"

const H = (text: string): string => toHex(hashOf(text)).slice(2)
const END = NOW + YEAR

/** What a row says, in a form that is easy to compare. */
function say(row: BatchRow): string {
  if ("error" in row) return `${row.source} ${row.error.code}: ${row.error.message}`
  if ("der" in row) return `${row.source} der ${row.der.length}`
  const { credentialHash, notAfter, deviceKeyId } = row
  const key = deviceKeyId === undefined ? "" : ` ${toHex(deviceKeyId as Uint8Array)}`
  return `${row.source} ${toHex(credentialHash as Uint8Array)}${notAfter === undefined ? "" : ` ${notAfter}`}${key}`
}

const csv = async (text: string | Uint8Array, size = 7): Promise<string[]> =>
  (await collect(rowsFromCsv("f.csv", pieces(text, size)))).map(say)
const ndjson = async (text: string | Uint8Array, size = 7): Promise<string[]> =>
  (await collect(rowsFromNdjson("f.ndjson", pieces(text, size)))).map(say)
const pem = async (text: string | Uint8Array, size = 7): Promise<string[]> =>
  (await collect(rowsFromPem("f.pem", pieces(text, size)))).map(say)

describe("readLines", () => {
  it("gives the same lines wherever the pieces are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "b", "\r", "\n", "é") }),
        fc.integer({ min: 1, max: 9 }),
        async (text, size) => {
          const whole = (await collect(readLines(pieces(text, 1000), 5))).flat()
          expect((await collect(readLines(pieces(text, size), 5))).flat()).toEqual(whole)
          const bytes = Buffer.from(text).toString("latin1")
          const lines = bytes.replace(/\n$/, "").split("\n")
          const expected = bytes === "" ? [] : lines.map((line) => line.replace(/\r$/, ""))
          // What Latin-1 makes of bytes from 0x80 up is not ASCII; nothing else is promised about it.
          const ascii = (line: string | undefined): string | undefined => line?.replace(/[^\n -~\r]/g, "?")
          expect(whole.map(({ text: line }) => ascii(line))).toEqual(
            expected.map((line) => (line.length > 5 ? undefined : ascii(line))),
          )
        },
      ),
    )
  })

  it("keeps nothing of a line without an end", async () => {
    const lines = (await collect(readLines(pieces(`ok\n${"x".repeat(100_000)}\nok`, 1000), 10))).flat()
    expect(lines).toEqual([
      { number: 1, text: "ok" },
      { number: 2, text: undefined },
      { number: 3, text: "ok" },
    ])
  })
})

describe("rowsFromCsv", () => {
  it.each([
    ["hashes alone", `credentialHash\n${H("a")}\n`, [`f.csv:2 0x${H("a")}`]],
    ["no line feed at the end", `credentialHash\n${H("a")}`, [`f.csv:2 0x${H("a")}`]],
    ["Windows line ends", `credentialHash,notAfter\r\n${H("a")},${END}\r\n`, [`f.csv:2 0x${H("a")} ${END}`]],
    ["a byte order mark", `\u{feff}credentialHash\n${H("a")}\n`, [`f.csv:2 0x${H("a")}`]],
    ["upper case and 0x", `credentialHash\n0x${H("a").toUpperCase()}\n`, [`f.csv:2 0x${H("a")}`]],
    ["quoted fields", `"credentialHash","notAfter"\n"${H("a")}","${END}"\n`, [`f.csv:2 0x${H("a")} ${END}`]],
    ["dates", `credentialHash,notAfter\n${H("a")},2035-12-31T23:59:59Z\n`, [`f.csv:2 0x${H("a")} 2082758399`]],
    ["keys", `credentialHash,notAfter,deviceKeyId\n${H("a")},1,${H("k")}\n`, [`f.csv:2 0x${H("a")} 1 0x${H("k")}`]],
    ["nothing below the header", "credentialHash\n", []],
  ])("reads %s", async (_what, text, expected) => {
    expect(await csv(text)).toEqual(expected)
    expect(await csv(text, 100_000)).toEqual(expected)
  })

  const good = [H("a"), H("b"), H("c"), H("d"), H("e")].map((hash) => `${hash},${END}`)
  const defects: [what: string, line: string, message: string][] = [
    ["an empty line", "", "line is empty."],
    ["a field too few", H("x"), "line has 1 fields; the header has 2."],
    ["a field too many", `${H("x")},${END},`, "line has 3 fields; the header has 2."],
    ["a hash too short", `${H("x").slice(1)},${END}`, "not 64 hexadecimal digits."],
    ["a hash too long", `${H("x")}0,${END}`, "not 64 hexadecimal digits."],
    ["a foreign digit", `g${H("x").slice(1)},${END}`, "not 64 hexadecimal digits."],
    ["a space in front", ` ${H("x")},${END}`, "not 64 hexadecimal digits."],
    ["an empty hash", `,${END}`, 'credentialHash is "", not 64'],
    ["a letter that is not ASCII", `é${H("x").slice(1)},${END}`, "not printable ASCII."],
    ["a full-width digit", `１${H("x").slice(1)},${END}`, "not printable ASCII."],
    ["a NUL", `${H("x")}\0,${END}`, "not printable ASCII."],
    ["a lone carriage return", `${H("x")}\r,${END}`, "not printable ASCII."],
    ["a quote that opens and does not close", `"${H("x")},${END}`, "not 64 hexadecimal digits."],
    ["a quote inside", `${H("x")}",${END}`, "not 64 hexadecimal digits."],
    ["an empty time", `${H("x")},`, 'notAfter is "", neither'],
    ["a time of zero", `${H("x")},0`, 'notAfter is "0", neither'],
    ["a negative time", `${H("x")},-1`, 'notAfter is "-1", neither'],
    ["a time in an odd form", `${H("x")},1e9`, 'notAfter is "1e9", neither'],
    ["a time past the ledger's range", `${H("x")},1099511627776`, "neither Unix seconds"],
    ["30 February", `${H("x")},2035-02-30T00:00:00Z`, "neither Unix seconds"],
    ["a date without its zone", `${H("x")},2035-12-31T23:59:59`, "neither Unix seconds"],
    ["a semicolon for a comma", `${H("x")};${END}`, "line has 1 fields"],
    ["a line without an end", `${H("x")},${"9".repeat(5000)}`, "line has more than 1024 characters."],
  ]
  describe.each([
    ["first", 0],
    ["middle", 2],
    ["last", 5],
  ])("finds at the %s line", (_place, at) => {
    it.each(defects)("%s, and nothing else", async (_what, line, message) => {
      const rows = await csv(["credentialHash,notAfter", ...good.toSpliced(at, 0, line), ""].join("\n"), 64)

      expect(rows).toHaveLength(6)
      expect(rows[at]).toContain(`f.csv:${at + 2} FLEET_ROW: `)
      expect(rows[at]).toContain(message)
      expect(rows.filter((row) => row.includes("FLEET_ROW"))).toHaveLength(1)
    })
  })

  it("lists all errors, each with its line", async () => {
    const rows = await csv(`credentialHash\n1\n${H("a")}\n2\n\n3`)
    expect(rows.map((row) => row.split(" ").slice(0, 2).join(" "))).toEqual([
      "f.csv:2 FLEET_ROW:",
      `f.csv:3 0x${H("a")}`,
      "f.csv:4 FLEET_ROW:",
      "f.csv:5 FLEET_ROW:",
      "f.csv:6 FLEET_ROW:",
    ])
  })

  it.each([
    ["none", `${H("a")}\n${H("b")}\n`],
    ["another name", `fingerprint\n${H("a")}\n`],
    ["another order", `notAfter,credentialHash\n1,${H("a")}\n`],
    ["a key without a time", `credentialHash,deviceKeyId\n${H("a")},${H("k")}\n`],
    ["a column twice", `credentialHash,credentialHash\n${H("a")},${H("a")}\n`],
    ["spaces", `credentialHash, notAfter\n${H("a")},1\n`],
    ["other case", `CredentialHash\n${H("a")}\n`],
    ["an empty line before it", `\ncredentialHash\n${H("a")}\n`],
    ["two bytes a character", Buffer.from(`\u{feff}credentialHash\n${H("a")}\n`, "utf16le")],
    ["an old Macintosh's line ends", `credentialHash\r${H("a")}\r`],
    ["nothing at all", ""],
    ["binary junk", Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256)],
  ])("refuses a file whose header is wrong, as a whole: %s", async (_what, text) => {
    const rows = await csv(text)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatch(/^f\.csv(:1)? FLEET_HEADER: The header is "/)
  })
})

describe("rowsFromNdjson", () => {
  it.each([
    ["hashes alone", `{"credentialHash":"${H("a")}"}\n`, [`f.ndjson:1 0x${H("a")}`]],
    ["spaces", `{ "credentialHash" : "0x${H("a")}",\t"notAfter": 5 }`, [`f.ndjson:1 0x${H("a")} 5`]],
    [
      "times as text",
      `{"credentialHash":"${H("a")}","notAfter":"2035-12-31T23:59:59Z"}`,
      [`f.ndjson:1 0x${H("a")} 2082758399`],
    ],
    [
      "a key without a time",
      `{"deviceKeyId":"${H("k")}","credentialHash":"${H("a")}"}`,
      [`f.ndjson:1 0x${H("a")} 0x${H("k")}`],
    ],
    ["nothing", "", []],
  ])("reads %s", async (_what, text, expected) => {
    expect(await ndjson(text)).toEqual(expected)
  })

  const good = ["a", "b", "c", "d", "e"].map((name) => `{"credentialHash":"${H(name)}","notAfter":${END}}`)
  const defects: [what: string, line: string, message: string][] = [
    ["an empty line", "", "line is empty."],
    ["text that is not JSON", `{"credentialHash":"${H("x")}"`, "line is not JSON."],
    ["two objects", `${good[0]}${good[1]}`, "line is not JSON."],
    ["an array", `["${H("x")}"]`, "line is no JSON object."],
    ["null", "null", "line is no JSON object."],
    ["a bare text", `"${H("x")}"`, "line is no JSON object."],
    ["an unknown key", `{"credentialHash":"${H("x")}","name":"x"}`, '"name" is a key that no row may have.'],
    ["__proto__", `{"credentialHash":"${H("x")}","__proto__":{"x":1}}`, '"__proto__" is a key that no row may have.'],
    ["a key twice", `{"credentialHash":"${H("x")}","credentialHash":"${H("y")}"}`, "a key twice"],
    ["an escape", `{"\\u0063redentialHash":"${H("x")}"}`, "an escape"],
    ["an odd number", `{"credentialHash":"${H("x")}","notAfter":1e9}`, "a number in an odd form"],
    [
      "a number too long for a double",
      `{"credentialHash":"${H("x")}","notAfter":12345678901234567890}`,
      "a number in an odd form",
    ],
    ["a fraction", `{"credentialHash":"${H("x")}","notAfter":1.5}`, 'notAfter is "1.5", neither'],
    ["no hash", `{"notAfter":${END}}`, "credentialHash is missing."],
    ["a hash that is a number", '{"credentialHash":12}', "credentialHash is no text."],
    ["a key that is null", `{"credentialHash":"${H("x")}","deviceKeyId":null}`, "deviceKeyId is no text."],
    ["a space inside a hash", `{"credentialHash":" ${H("x")}"}`, "a space"],
    ["a letter that is not ASCII", `{"credentialHash":"é"}`, "not printable ASCII."],
    ["a line without an end", `{"credentialHash":"${"0".repeat(5000)}"}`, "more than 1024 characters."],
  ]
  describe.each([
    ["first", 0],
    ["middle", 2],
    ["last", 5],
  ])("finds at the %s line", (_place, at) => {
    it.each(defects)("%s, and nothing else", async (_what, line, message) => {
      const rows = await ndjson(`${good.toSpliced(at, 0, line).join("\n")}\n`, 64)

      expect(rows).toHaveLength(6)
      expect(rows[at]).toContain(`f.ndjson:${at + 1} FLEET_ROW: `)
      expect(rows[at]).toContain(message)
      expect(rows.filter((row) => row.includes("FLEET_ROW"))).toHaveLength(1)
      expect(({} as { x?: number }).x).toBeUndefined()
    })
  })
})

describe("rowsFromPem", () => {
  let first: string
  let second: string
  let length: number

  beforeAll(async () => {
    const fleet = await TestFleet.make()
    const der = await fleet.certificate()
    length = der.length
    first = encodePem("CERTIFICATE", der)
    second = encodePem("CERTIFICATE", der)
  })

  it("reads each block under the line of its BEGIN, and skips text between", async () => {
    const rows = await pem(`Certificate:\n  Data: …\n${first}\n# next\n${second.replaceAll("\n", "\r\n")}bye`)
    const lines = first.split("\n").length
    expect(rows).toEqual([`f.pem:3 der ${length}`, `f.pem:${3 + lines + 1} der ${length}`])
  })

  it("reads a block whose base64 is one line", async () => {
    const [begin, ...rest] = first.trim().split("\n")
    const single = `${begin}\n${rest.slice(0, -1).join("")}\n${rest.at(-1)}`
    expect(await pem(single)).toEqual([`f.pem:1 der ${length}`])
  })

  it("gives a bad row for each block that is wrong, and goes on behind it", async () => {
    const key = encodePem("PRIVATE KEY", new Uint8Array(40))
    const cut = first.split("\n").slice(0, -3).join("\n")
    const junk = first.replace(/\n./, "\n!")
    const rows = await pem([key, cut, second, junk, "-----BEGIN CERTIFICATE", second, cut].join("\n"))
    expect(rows.map((row) => row.replace(/^f\.pem:\d+ /, "").replace(/: .*/, ""))).toEqual([
      "PEM_BLOCK_MISSING",
      "PEM_MALFORMED",
      `der ${length}`,
      "PEM_MALFORMED",
      "PEM_MALFORMED",
      `der ${length}`,
      "PEM_MALFORMED",
    ])
  })

  it("counts lines from the top of the file", async () => {
    const junk = first.replace(/\n./, "\n!")
    const rows = await pem(`one\ntwo\n${junk}`)
    expect(rows).toEqual([expect.stringMatching(/^f\.pem:3 PEM_MALFORMED: .*\(line 4\)\.$/)])
  })

  it("does not keep a block without an end", async () => {
    const huge = `-----BEGIN CERTIFICATE-----\n${`${"A".repeat(64)}\n`.repeat(10_000)}-----END CERTIFICATE-----\n`
    const line = `-----BEGIN CERTIFICATE-----\n${"A".repeat(200_000)}\n-----END CERTIFICATE-----\n`
    const rows = await pem(huge + line + first, 65_536)
    expect(rows.map((row) => row.split(" ")[1])).toEqual(["FLEET_FILE:", "FLEET_FILE:", "der"])
  })

  it("does not leave an overlong line out of a block that is whole without it", async () => {
    const [begin, ...rest] = first.split("\n")
    const rows = await pem([begin, "A".repeat(200_000), ...rest].join("\n"), 65_536)
    expect(rows.map((row) => row.split(" ")[1])).toEqual(["FLEET_FILE:"])
  })

  it.each([
    ["nothing", ""],
    ["text", "hello\nworld\n"],
    ["binary junk", Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251)],
  ])("gives one bad row for a file without a block: %s", async (_what, text) => {
    expect(await pem(text, 65_536)).toEqual([expect.stringMatching(/^f\.pem PEM_BLOCK_MISSING: /)])
  })
})
