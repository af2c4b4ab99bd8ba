import { EXIT } from "./cliError.ts"
import type { ExitCode } from "./cliError.ts"
import { exitCodeOf, isLibraryError } from "./exitCode.ts"
import { printable, printableJson } from "./output/printable.ts"

/** What a command has to say: once for programs, once for people. */
export type Answer = {
  json: unknown
  /** Lines for a person, made only where one reads them. */
  text: () => string
  /** Default: 0. */
  exitCode?: ExitCode
}

/** Runs a command's work, prints its answer or its error, and sets the exit code. */
export async function runCommand(json: boolean | undefined, work: () => Promise<Answer>): Promise<void> {
  try {
    const answer = await work()
    print(json === true ? printableJson(answer.json) : answer.text())
    process.exitCode = answer.exitCode ?? EXIT.good
  } catch (error) {
    reportError(error, json === true)
  }
}

/** Says what went wrong: on standard error for people, with `json` on standard output for programs too. */
export function reportError(error: unknown, json: boolean): void {
  process.exitCode = exitCodeOf(error)
  if (json) print(printableJson(errorJson(error)))
  const { message, hint } = error instanceof Error ? (error as Error & { hint?: string }) : { message: String(error) }
  const lines = [`error: ${printable(message)}`]
  for (const line of findingLines(error)) lines.push(`  ${printable(line)}`)
  if (hint !== undefined) lines.push(`hint: ${printable(hint)}`)
  if (!isLibraryError(error))
    lines.push("This is a fault of the program, or of its machine. FLEETROOT_DEBUG=1 shows where.")
  process.stderr.write(`${lines.join("\n")}\n`)
  if (process.env["FLEETROOT_DEBUG"] && error instanceof Error) process.stderr.write(`${stackOf(error)}\n`)
}

function errorJson(error: unknown): Record<string, unknown> {
  if (!isLibraryError(error)) {
    const message = error instanceof Error ? error.message : String(error)
    return { error: "UnexpectedError", code: "UNEXPECTED", message }
  }
  const { findings, badRows, badRowsByCode, rows } = error as unknown as Record<string, unknown>
  return { ...error.toJSON(), ...(Array.isArray(findings) ? { rows, badRows, badRowsByCode, findings } : {}) }
}

type Finding = { source: string; message: string }

const MOST_LINES = 20

/** The bad rows of a batch, as far as a screen holds them. */
function findingLines(error: unknown): string[] {
  const { findings, badRows } = error as { findings?: unknown; badRows?: unknown }
  if (!Array.isArray(findings)) return []
  const shown = (findings as Finding[]).slice(0, MOST_LINES).map(({ source, message }) => `${source}: ${message}`)
  const more = Number(badRows) - shown.length
  return more > 0 ? [...shown, `… and ${more} more`] : shown
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : ""
  return `${error.stack ?? error.message}${cause}`
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
