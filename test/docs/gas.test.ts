import { describe, expect, it } from "vitest"
import { expectGenerated, readText } from "./pages.ts"

const PAGE = "docs/architecture.md"
const CODE = "octets of code, "

/** Figures by name, as test/contracts/gas.test.ts and firmwareGas.test.ts take them from receipts. */
const figures = ["gas", "firmwareGas"].flatMap((name) =>
  Object.entries(JSON.parse(readText(`test/contracts/${name}.json`)) as Record<string, number>),
)
const decimal = (value: number): string => value.toLocaleString("en-US")

/** A table as the formatter lays it out; all columns but the first are numbers. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" | ")} |`
  const rule = widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))
  return [line(header), line(rule), ...rows.map(line)].join("\n")
}

/** How many items a call carries: "revoke of 100". */
function countOf(name: string): number | undefined {
  const count = /(?:of |, )(\d+)(?: words| neighbours in one word)?$/.exec(name)?.[1]
  return count === undefined ? undefined : Number(count)
}

describe("docs/architecture.md", () => {
  it("has the gas of the snapshot", () => {
    const rows = figures
      .filter(([name]) => !name.startsWith(CODE))
      .map(([name, gas]) => {
        const count = countOf(name)
        return [name, decimal(gas), count === undefined || count === 1 ? "" : decimal(Math.round(gas / count))]
      })
    expect(rows.length).toBeGreaterThan(20)
    expectGenerated(PAGE, "gas", table(["call", "gas", "each"], rows))
  })

  it("has the code sizes of the snapshot", () => {
    const rows = figures
      .filter(([name]) => name.startsWith(CODE))
      .map(([name, size]) => [`\`${name.slice(CODE.length)}\``, decimal(size)])
    expect(rows).toHaveLength(4)
    expectGenerated(PAGE, "code-size", table(["contract", "octets of code"], rows))
  })
})
