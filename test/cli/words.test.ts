import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import * as library from "../../client/index.ts"
import { UsageError } from "../../scripts/cli/cliError.ts"
import { exitCodeOf } from "../../scripts/cli/exitCode.ts"
import { parseAddress } from "../../scripts/cli/input/address.ts"
import { parseIndices, parseInteger, parseTime } from "../../scripts/cli/options/parse.ts"
import { columns, printable, printableJson } from "../../scripts/cli/output/printable.ts"

describe("parseTime", () => {
  it.each([
    ["2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31T12:00:00.000Z", "2027-01-31T12:00:00.000Z"],
    ["2027-01-31T12:00:00+02:30", "2027-01-31T09:30:00.000Z"],
    ["2027-01-31T00:00:00-01:00", "2027-01-31T01:00:00.000Z"],
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
    ["1800000000", "2027-01-15T08:00:00.000Z"],
  ])("reads %s", (text, expected) => {
    expect(parseTime(text, "--at").toISOString()).toBe(expected)
  })

  it.each([
    "",
    " ",
    "now",
    "1e9",
    "0x10",
    "-1",
    "1.5",
    "01",
    "99999999999999999999",
    "1099511627776",
    "2027",
    "999999999",
    "2027-1-1",
    "2027-02-30",
    "2027-02-29",
    "2027-13-01",
    "2027-00-01",
    "2027-01-00",
    "2027-01-31 12:00:00Z",
    "2027-01-31T12:00Z",
    "2027-01-31T12:00:00",
    "2027-01-31T24:00:00Z",
    "2027-01-31T12:60:00Z",
    "2027-01-31T12:00:60Z",
    "2027-01-31T12:00:00+24:00",
    "2027-01-31T12:00:00z",
    "+02027-01-31",
    "1969-12-31T23:59:59Z",
    "2027-01-31T12:00:00Z\n",
  ])("refuses %j", (text) => {
    expect(() => parseTime(text, "--at")).toThrow(UsageError)
  })
})

describe("parseInteger and parseIndices", () => {
  it.each(["", " 1", "1 ", "+1", "-1", "01", "1.0", "1e3", "0x1", "１", "NaN", "Infinity", "99999999999999999"])(
    "refuse %j",
    (text) => {
      expect(() => parseInteger(text, "n", 0, 100)).toThrow(UsageError)
      expect(() => parseIndices(text)).toThrow(UsageError)
    },
  )

  it("read lists of places, each once, in order", () => {
    expect(parseIndices("7,1,5-9,0")).toEqual([0, 1, 5, 6, 7, 8, 9])
    for (const text of ["1,", ",1", "1--2", "1-2-3", "5-4", "a", "4294967295"]) {
      expect(() => parseIndices(text)).toThrow(UsageError)
    }
  })
})

describe("parseAddress", () => {
  const right = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
  it("takes one case, or the right checksum", async () => {
    for (const text of [right, right.toLowerCase(), `0x${right.slice(2).toUpperCase()}`]) {
      expect(await parseAddress(text, "it")).toBe(right.toLowerCase())
    }
  })
  it.each([
    "",
    "0x",
    right.slice(2),
    `${right}0`,
    right.replace("C7d", "c7d"),
    right.replace("70", "71"),
    `0X${right.slice(2)}`,
  ])("refuses %j", async (text) => {
    await expect(parseAddress(text, "it")).rejects.toThrow(UsageError)
  })
})

describe("printable", () => {
  it.each([
    ["turned around", "Bar \u202Eskr", "Bar \\u{202e}skr"],
    ["isolated", "a\u2066b\u2069", "a\\u{2066}b\\u{2069}"],
    ["zero-width", "Bar\u200BWorks\uFEFF", "Bar\\u{200b}Works\\u{feff}"],
    ["a terminal's commands", "\u001B[31mred\u0007\u009B1m", "\\u{1b}[31mred\\u{7}\\u{9b}1m"],
    ["new lines", "a\nb\r\u2028c", "a\\u{a}b\\u{d}\\u{2028}c"],
    ["tags", "a\u{E0041}", "a\\u{e0041}"],
    ["half a pair", "a\uD800", "a\\u{d800}"],
    ["ordinary letters", "Bär 株式会社 🔑", "Bär 株式会社 🔑"],
  ])("shows what would otherwise act: %s", (_name, text, expected) => {
    expect(printable(text)).toBe(expected)
  })

  it("escapes the same in JSON, and a reader gets the text itself", () => {
    const value = { name: "Bar\u202E \u{E0041}\u001B[31m \u2028", big: 12n, list: ["🔑"] }
    const text = printableJson(value)

    expect(["\u202E", "\u001B", "\u2028", "\u{E0041}"].filter((unsafe) => text.includes(unsafe))).toEqual([])
    expect(JSON.parse(text)).toEqual({ ...value, big: "12" })
  })

  it("lines columns up", () => {
    expect(
      columns([
        ["a", "bb"],
        ["ccc", ""],
      ]),
    ).toBe("a    bb\nccc")
  })
})

describe("exitCodeOf", () => {
  /** Every code that the library's errors have. */
  const folder = fileURLToPath(new URL("../../client/errors", import.meta.url))
  const codes = readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/readonly code(?:: string)? = "(\w+)"/g)].map(
      (match) => match[1]!,
    ),
  )
  const exitCodeFor = (code: string): number => {
    const error = new library.FleetrootError("x")
    Object.defineProperty(error, "code", { value: code })
    return exitCodeOf(error)
  }

  it("is never good", () => {
    expect(codes.length).toBeGreaterThan(80)
    for (const code of codes) expect(exitCodeFor(code)).toBeGreaterThan(0)
    for (const error of [new Error("x"), new TypeError("x"), "x", undefined, null, { code: "USAGE" }]) {
      expect(exitCodeOf(error)).toBe(3)
    }
  })

  it.each([
    ["ENDPOINT_UNREACHABLE", 3],
    ["ENDPOINT_TIMEOUT", 3],
    ["CHAIN_MISMATCH", 3],
    ["CONTRACT_MISMATCH", 3],
    ["STALE_HEAD", 3],
    ["HEAD_ROLLED_BACK", 3],
    ["KEY_OWNER_AMBIGUOUS", 3],
    ["TRANSACTION_STUCK", 3],
    ["RUN_IN_PROGRESS", 3],
    ["BATCH_REFUSED", 1],
    ["CONTRACT_REVERTED", 1],
    ["KEY_TAKEN", 1],
    ["MANIFEST_ROOT", 1],
    ["DER_TRUNCATED", 2],
    ["PEM_BLOCKS_MANY", 2],
    ["RECEIPT_MALFORMED", 2],
    ["SECRET_FILE_EXPOSED", 2],
    ["DEPLOYMENT_INVALID", 2],
    ["INPUT_PATH", 2],
  ])("tells refusals, wrong input and no answer apart: %s", (code, expected) => {
    expect(codes).toContain(code)
    expect(exitCodeFor(code)).toBe(expected)
  })
})
