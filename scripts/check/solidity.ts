// Compiles the contracts, runs the Solidity tests and writes what they did into the JSON file named as argument.
import { writeFileSync } from "node:fs"
import { tasks } from "hardhat"
import type { Counts } from "./counts.ts"

/** As Hardhat's task gives it, which declares no type of its own. Its `summary` stays empty unless other runners follow. */
type SolidityRun = { suiteResults: { testResults: TestResult[] }[] }
type TestResult = {
  status: "Success" | "Failure" | "Skipped"
  /** `runs` alone: a fuzz test; with `calls`: an invariant test. */
  kind: { runs?: bigint; calls?: bigint; reverts?: bigint }
}

const [, , path] = process.argv
if (path === undefined) throw new Error("usage: solidity.ts RESULT.json")

const result = (await tasks.getTask(["test", "solidity"]).run({})) as
  { success: true; value: SolidityRun } | { success: false; error: SolidityRun }
const { suiteResults } = result.success ? result.value : result.error

writeFileSync(path, JSON.stringify(count(suiteResults.flatMap(({ testResults }) => testResults))))
process.exitCode = result.success ? 0 : 1

function count(tests: TestResult[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0, fuzzRuns: 0, acceptedCalls: 0 }
  for (const { status, kind } of tests) {
    if (status === "Success") counts.passed++
    else if (status === "Skipped") counts.skipped++
    else counts.failed++

    if (kind.calls !== undefined) counts.acceptedCalls += Number(kind.calls - (kind.reverts ?? 0n))
    else counts.fuzzRuns += Number(kind.runs ?? 0n)
  }
  return counts
}
