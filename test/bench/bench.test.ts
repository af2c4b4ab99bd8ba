import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { drawPlot } from "../../bench/drawPlot.ts"
import { page } from "../../bench/page.ts"
import { median, quantile, row } from "../../bench/row.ts"

const BENCH = fileURLToPath(new URL("../../bench/main.ts", import.meta.url))

describe("a row", () => {
  it("says whether its target holds, and nothing where nothing is promised", () => {
    expect(row("a", 5, "ms", { atMost: 5 })).toMatchObject({ target: 5, holds: true })
    expect(row("a", 5.1, "ms", { atMost: 5 })).toMatchObject({ holds: false })
    expect(row("a", 5, "1/s", { atLeast: 5 })).toMatchObject({ target: 5, holds: true })
    expect(row("a", 4.9, "1/s", { atLeast: 5 })).toMatchObject({ holds: false })
    expect(row("a", Number.NaN, "ms", { atMost: 5 })).toMatchObject({ holds: false })
    expect(row("a", 5, "ms")).toEqual({ name: "a", value: 5, unit: "ms", target: null, holds: null, peers: [] })
  })

  it("is the middle, or the end, of what was measured", () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(quantile([5, 1, 4, 2, 3], 0.99)).toBe(5)
    expect(median([])).toBeNaN()
  })
})

describe("the page", () => {
  const plot = {
    title: "a < b",
    x: { label: "x", log: true },
    y: { label: "y" },
    series: [
      { name: "one", points: [[1, 0] as const, [1_000, 7] as const] },
      { name: "two & three", points: [[10, 3] as const] },
    ],
  }

  it("draws every point once, within the paper", () => {
    const svg = drawPlot(plot)
    const places = Array.from(svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g), ([, x, y]) => [
      Number(x),
      Number(y),
    ])
    expect(places).toHaveLength(3)
    for (const [x = 0, y = 0] of places) {
      expect(x).toBeGreaterThan(0)
      expect(x).toBeLessThan(760)
      expect(y).toBeGreaterThan(0)
      expect(y).toBeLessThan(360)
    }
    expect(svg).not.toContain("NaN")
  })

  it("holds all rows as text, never as HTML, and asks no other server for anything", () => {
    const rows = [row("<b>bold</b>", 1, "ms", { atMost: 2, peers: [{ name: "x & y", value: 3 }] })]
    const html = page({ rows, machine: { cores: 2 }, versions: { node: "1" } }, [plot], { quick: true })
    expect(html).toContain("&lt;b&gt;bold&lt;/b&gt;")
    expect(html).toContain("x &amp; y")
    expect(html).not.toMatch(/<(?:script|link|img)|https?:|NaN|undefined/)
  })
})

describe("npm run bench", () => {
  it("runs a group beside its peers and writes JSON of the one form", () => {
    const folder = mkdtempSync(join(tmpdir(), "fleetroot-bench-"))
    try {
      const json = join(folder, "gas.json")
      const { status, stderr } = spawnSync(process.execPath, [BENCH, "--quick", "--only", "gas", "--json", json], {
        encoding: "utf8",
        timeout: 110_000,
      })
      expect({ status, stderr }).toMatchObject({ status: 0 })
      const result = JSON.parse(readFileSync(json, "utf8")) as { rows: Record<string, unknown>[] }
      expect(Object.keys(result)).toEqual(["rows", "machine", "versions"])
      for (const one of result.rows) {
        expect(Object.keys(one)).toEqual(["name", "value", "unit", "target", "holds", "peers"])
        expect(one["value"]).toBeGreaterThan(0)
        expect((one["peers"] as unknown[]).length).toBeGreaterThan(0)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it("refuses a group that there is none of", () => {
    const { status, stderr } = spawnSync(process.execPath, [BENCH, "--only", "nothing"], { encoding: "utf8" })
    expect(status).toBe(2)
    expect(stderr).toContain("There is no group nothing")
  })
})
