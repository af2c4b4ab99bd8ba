import type { BatchFinding, BatchFindingCode, BatchFindings } from "../errors/batch.ts"

/** Collects findings: lists the first ones, counts all. */
export class FindingList {
  readonly #maximum: number
  readonly #findings: BatchFinding[] = []
  readonly #counts = new Map<BatchFindingCode, number>()
  #badRows = 0

  /** @param maximum Findings to list. */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  get badRows(): number {
    return this.#badRows
  }

  /** Whether any row was found bad for this reason. */
  has(code: BatchFindingCode): boolean {
    return this.#counts.has(code)
  }

  /** Counts a bad row; once a row. */
  add(finding: BatchFinding): void {
    this.#badRows++
    this.#counts.set(finding.code, (this.#counts.get(finding.code) ?? 0) + 1)
    if (this.#findings.length < this.#maximum) this.#findings.push(finding)
  }

  /** @param rows All rows that were given. */
  report(rows: number): BatchFindings {
    return {
      findings: [...this.#findings].sort((a, b) => a.row - b.row),
      badRows: this.#badRows,
      badRowsByCode: Object.fromEntries(this.#counts),
      rows,
    }
  }
}
