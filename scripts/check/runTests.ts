import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { closingLine, type Counts, findBelowFloor, type Floor, isFloorLow, raiseFloor } from "./counts.ts"
import { ROOT, runNode } from "./run.ts"
import { vitestCounts } from "./vitestCounts.ts"

type Suite = "solidity" | "unit" | "ledger"
type Outcome = { exitCode: number; counts: Counts }

const FLOORS = join(ROOT, "test/floors.json")
const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0 }

export type RunTestsOptions = {
  /** Write higher floors when every suite passed. */
  raiseFloors?: boolean
  /** Skipped tests fail, as in CI, where every program that a test may need is there. */
  refuseSkipped?: boolean
}

/**
 * Runs all suites, however many fail, and prints what each runner did as the last lines.
 *
 * @returns whether every runner ended well, every count reaches its floor and nothing was skipped that may not be
 */
export function runTests({ raiseFloors = false, refuseSkipped = false }: RunTestsOptions): boolean {
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-tests-"))
  try {
    const outcomes: Record<Suite, Outcome> = {
      solidity: runSolidity(folder),
      unit: runVitest(folder, "unit", 900),
      ledger: runVitest(folder, "ledger", 2_400),
    }
    return judge(outcomes, { raiseFloors, refuseSkipped })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runSolidity(folder: string): Outcome {
  const path = join(folder, "solidity.json")
  const exitCode = runNode("scripts/check/solidity.ts", [path], { timeoutSeconds: 1_200 })
  return { exitCode, counts: existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Counts) : NOTHING }
}

function runVitest(folder: string, project: Suite, timeoutSeconds: number): Outcome {
  const path = join(folder, `${project}.json`)
  const args = ["run", "--project", project, "--reporter", "default", "--reporter", "json", `--outputFile.json=${path}`]
  const exitCode = runNode("node_modules/vitest/vitest.mjs", args, { timeoutSeconds })
  return { exitCode, counts: existsSync(path) ? vitestCounts(readFileSync(path, "utf8")) : NOTHING }
}

function judge(outcomes: Record<Suite, Outcome>, { raiseFloors, refuseSkipped }: RunTestsOptions): boolean {
  const floors = JSON.parse(readFileSync(FLOORS, "utf8")) as Record<Suite, Floor>
  const suites = Object.entries(outcomes) as [Suite, Outcome][]

  const problems = suites.flatMap(([suite, { exitCode, counts }]) => [
    ...(exitCode === 0 ? [] : [`${suite}: the runner ended with exit code ${exitCode}; its lines above say why`]),
    ...(exitCode === 0 && counts.failed > 0 ? [`${suite}: the runner ended well although tests failed`] : []),
    ...(refuseSkipped && counts.skipped > 0 ? [`${suite}: no test may be skipped here`] : []),
    ...findBelowFloor(suite, counts, floors[suite]),
  ])
  const passed = problems.length === 0

  if (raiseFloors && passed) {
    const raised = suites.map(([suite, { counts }]) => [suite, raiseFloor(counts, floors[suite])])
    writeFileSync(FLOORS, JSON.stringify(Object.fromEntries(raised), null, 2) + "\n")
  } else if (passed && suites.some(([suite, { counts }]) => isFloorLow(counts, floors[suite]))) {
    console.log("\ntest/floors.json is low: raise it with `npm test -- --raise-floors`")
  }

  console.log()
  for (const problem of problems) console.log(problem)
  for (const [suite, { counts }] of suites) console.log(closingLine(suite, counts))
  return passed
}
