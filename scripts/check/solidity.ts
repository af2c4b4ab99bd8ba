// Compiles the contracts, runs the Solidity tests and writes what they did into the JSON file named as argument.
import { writeFileSync } from "node:fs"
import { tasks } from "hardhat"
import type { Counts } from "./counts.ts"

/** As Hardhat's task gives them; they are checked below, for it declares no type of its own. */
type SolidityRun = { summary: Omit<Counts, "fuzzRuns" | "acceptedCalls">; suiteResults: Suite[] }
type Suite = { testResults: { kind: Partial<Record<"runs" | "calls" | "reverts", bigint>> }[] }

const [, , path] = process.argv
if (path === undefined) throw new Error("usage: solidity.ts RESULT.json")

const result = (await tasks.getTask(["test", "solidity"]).run({})) as
  { success: true; value: SolidityRun } | { success: false; error: SolidityRun }
const { summary, suiteResults } = result.success ? result.value : result.error

writeFileSync(path, JSON.stringify({ ...countTests(summary), ...countCalls(suiteResults) } satisfies Counts))
process.exitCode = result.success ? 0 : 1

function countTests({ passed, failed, skipped }: SolidityRun["summary"]): Counts {
  if (![passed, failed, skipped].every(Number.isSafeInteger)) throw new Error("Hardhat gave no test counts.")
  return { passed, failed, skipped }
}

function countCalls(suites: Suite[]): { fuzzRuns: number; acceptedCalls: number } {
  let fuzzRuns = 0n
  let acceptedCalls = 0n
  for (const { kind } of suites.flatMap(({ testResults }) => testResults)) {
    if (kind.calls !== undefined) acceptedCalls += kind.calls - (kind.reverts ?? 0n)
    else fuzzRuns += kind.runs ?? 0n
  }
  return { fuzzRuns: Number(fuzzRuns), acceptedCalls: Number(acceptedCalls) }
}
