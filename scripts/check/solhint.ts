import { closeSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ROOT, runNode } from "./run.ts"

type Finding = { filePath?: string; line?: number; ruleId?: string; message?: string }

/**
 * Runs solhint, where a warning counts like an error, with its own settings for tests.
 *
 * @returns whether there was nothing to say
 */
export function runSolhint(): boolean {
  const findings = [
    ...lint("contracts/**/*.sol", ".solhint.json"),
    ...lint("test/contracts/**/*.sol", "test/contracts/.solhint.json"),
  ]
  for (const { filePath, line, ruleId, message } of findings) console.error(`${filePath}:${line} ${ruleId}: ${message}`)
  return findings.length === 0
}

function lint(pattern: string, config: string): Finding[] {
  // solhint ends with an error when nothing matches.
  if (globSync(pattern, { cwd: ROOT }).length === 0) return []

  const folder = mkdtempSync(join(tmpdir(), "fleetroot-solhint-"))
  const path = join(folder, "findings.json")
  try {
    // Into a file: through a pipe solhint loses all but the first 64 KiB of what it writes.
    const file = openSync(path, "w")
    const args = ["--noPoster", "--disc", "-c", config, "-f", "json", pattern]
    const exitCode = runNode("node_modules/solhint/solhint.js", args, { stdout: file })
    closeSync(file)
    const text = readFileSync(path, "utf8").trim()
    const findings = (text === "" ? [] : (JSON.parse(text) as Finding[])).filter(({ ruleId }) => ruleId !== undefined)
    if (exitCode !== 0 && findings.length === 0) throw new Error(`solhint ended with exit code ${exitCode}: ${text}`)
    return findings
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
