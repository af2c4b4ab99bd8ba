/** One line of the table that `npm start` prints. */
export type Row = {
  readonly step: string
  readonly expected: string
  readonly found: string
  /** Gas of the transactions, if there were any. */
  readonly gas: bigint | undefined
  readonly milliseconds: number
}

/** Whether the answer was the expected one. */
export function holds({ expected, found }: Row): boolean {
  return expected === found
}

/** A plain-text table: what was done, what came out, what it cost. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.step,
    holds(row) ? row.found : `${row.found}  (expected ${row.expected})`,
    row.gas === undefined ? "" : row.gas.toLocaleString("en-US"),
    `${row.milliseconds.toFixed(row.milliseconds < 10 ? 1 : 0)} ms`,
    holds(row) ? "ok" : "WRONG",
  ])
  const all = [["what", "answer", "gas", "time", ""], ...cells]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((line) => (line[column] ?? "").length))) ?? []
  const right = new Set([2, 3])
  const lines = all.map((line) =>
    line
      .map((cell, column) =>
        right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  )
  const rule = "-".repeat(Math.max(...lines.map((line) => line.length)))
  return [lines[0], rule, ...lines.slice(1)].join("\n")
}

/** What one device costs elsewhere, as cited in docs/decisions/0001-one-root-per-batch.md. */
export const PEERS: readonly { readonly name: string; readonly gasPerDevice: number }[] = [
  { name: "ERC-1056 (ethr-did-registry), one attribute", gasPerDevice: 52_000 },
  { name: "EAS, one attestation", gasPerDevice: 169_000 },
  { name: "ioID, one device", gasPerDevice: 694_000 },
]
