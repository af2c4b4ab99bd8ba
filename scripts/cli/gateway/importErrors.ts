import { CliError, EXIT } from "../cliError.ts"

/** One certificate, or one line of a list, cannot be imported. */
export class ImportRowError extends CliError {
  override readonly name = "ImportRowError"
  override readonly code = "IMPORT_ROW"

  constructor(problem: string) {
    super(problem, { hint: "Correct it, or leave it out.", exitCode: EXIT.notGood })
  }
}

type Finding = { readonly source: string; readonly message: string }

/** Something that was to be imported is wrong, so nothing was. */
export class ImportRefusedError extends CliError {
  override readonly name = "ImportRefusedError"
  override readonly code = "IMPORT_REFUSED"
  readonly rows: number
  readonly badRows: number
  readonly findings: readonly Finding[]

  constructor({ rows, badRows, findings }: { rows: number; badRows: number; findings: readonly Finding[] }) {
    super(`${badRows} of ${rows} certificates cannot be imported; nothing was.`, {
      hint: "Correct what is named, or leave it out, and import again.",
      exitCode: EXIT.notGood,
    })
    this.rows = rows
    this.badRows = badRows
    this.findings = findings
  }
}
