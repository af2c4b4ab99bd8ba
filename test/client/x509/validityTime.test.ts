import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CertificateMalformedError } from "../../../client/errors/x509.ts"
import { readTime } from "../../../client/x509/validityTime.ts"

const UTC = 0x17
const GENERALIZED = 0x18
const read = (tag: number, text: string) => readTime(tag, new TextEncoder().encode(text), "notAfter")

describe("readTime", () => {
  const known: [number, string, string][] = [
    [UTC, "700101000000Z", "1970-01-01T00:00:00Z"],
    [UTC, "500101000000Z", "1950-01-01T00:00:00Z"],
    [UTC, "491231235959Z", "2049-12-31T23:59:59Z"],
    [UTC, "991231235959Z", "1999-12-31T23:59:59Z"],
    [UTC, "000229120000Z", "2000-02-29T12:00:00Z"],
    [UTC, "240229000000Z", "2024-02-29T00:00:00Z"],
    [UTC, "691231235959Z", "1969-12-31T23:59:59Z"],
    [GENERALIZED, "20500101000000Z", "2050-01-01T00:00:00Z"],
    [GENERALIZED, "24000229000000Z", "2400-02-29T00:00:00Z"],
    [GENERALIZED, "99991231235959Z", "9999-12-31T23:59:59Z"],
    [GENERALIZED, "00010101000000Z", "0001-01-01T00:00:00Z"],
  ]
  for (const [tag, text, instant] of known) {
    it(`reads ${text} as ${instant}`, () => expect(read(tag, text)).toBe(Date.parse(instant) / 1000))
  }

  it("agrees with Date on every second of the years 0 to 9999", () => {
    const times = fc.integer({ min: Date.UTC(100, 0, 1) / 1000, max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1000 })
    fc.assert(
      fc.property(times, (seconds) => {
        const text = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.000/g, "")
        expect(read(GENERALIZED, text)).toBe(seconds)
      }),
      { numRuns: 2000 },
    )
  })

  const refused: [string, number, string][] = [
    ["nothing", UTC, ""],
    ["no seconds", UTC, "2501010000Z"],
    ["no Z", UTC, "250101000000"],
    ["a small z", UTC, "250101000000z"],
    ["an offset", UTC, "250101000000+0000"],
    ["a fraction", GENERALIZED, "20250101000000.5Z"],
    ["a comma fraction", GENERALIZED, "20250101000000,5Z"],
    ["an offset in GeneralizedTime", GENERALIZED, "20250101000000+01"],
    ["UTCTime with four digits of year", UTC, "20250101000000Z"],
    ["GeneralizedTime with two", GENERALIZED, "250101000000Z"],
    ["month 0", UTC, "250001000000Z"],
    ["month 13", UTC, "251301000000Z"],
    ["day 0", UTC, "250100000000Z"],
    ["30 February", UTC, "240230000000Z"],
    ["29 February of 2023", UTC, "230229000000Z"],
    ["29 February of 2100", GENERALIZED, "21000229000000Z"],
    ["31 April", UTC, "250431000000Z"],
    ["hour 24", UTC, "250101240000Z"],
    ["minute 60", UTC, "250101006000Z"],
    ["second 60", UTC, "250101000060Z"],
    ["a letter", UTC, "2501010000O0Z"],
    ["a space", UTC, " 50101000000Z"],
    ["a sign", UTC, "-50101000000Z"],
  ]
  for (const [what, tag, text] of refused) {
    it(`refuses ${what}`, () => expect(() => read(tag, text)).toThrow(CertificateMalformedError))
  }
})
