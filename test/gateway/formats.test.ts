import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { crlNumber } from "../../gateway/crl/listing.ts"
import { crlAddresses } from "../../gateway/crl/crlAddresses.ts"
import { staticPath } from "../../gateway/ocsp/staticAnswers.ts"

const page = readFileSync(new URL("../../docs/formats.md", import.meta.url), "utf8")

describe("docs/formats.md, of the gateway", () => {
  it("has the CRL number of a block", () => {
    const [, text = ""] = /<!-- example: crl-number -->\s*```text\n(.*?)\n```/s.exec(page) ?? []
    const digits = text.replaceAll(/;.*$/gm, "").replaceAll(/\s/g, "")
    expect(crlNumber({ timestamp: Date.parse("2026-03-01T00:00:00Z") / 1000, number: 1_000 })).toBe(
      BigInt(`0x${digits}`),
    )
  })

  it("has the addresses of CRLs", () => {
    const keyId = `0x${"ab".repeat(32)}` as const
    const { complete, delta, shardOf } = crlAddresses("https://gateway.example/", keyId)
    const at = (path: string): string => `https://gateway.example${path.replace("K", "ab".repeat(32))}`
    expect([complete, delta]).toEqual([at("/crl/K.crl"), at("/crl/K-delta.crl")])
    const [, rows = ""] = /<!-- example: crl-shards -->\s*```text\n(.*?)\n```/s.exec(page) ?? []
    const examples = [...rows.matchAll(/^series (\d+), index (\d+) +(\S+)$/gm)]
    expect(examples).toHaveLength(rows.split("\n").length)
    for (const [, series, index, path = ""] of examples) {
      expect(shardOf({ series: Number(series), index: Number(index) })).toBe(at(path))
    }
  })

  it("says where an OCSP answer lies", () => {
    expect(staticPath(Uint8Array.of(3, 255, 255, 0))).toBe("A/AA==")
    expect(staticPath(Uint8Array.of(0, 0, 0x3f))).toBe("AAA/index.der")
  })
})
