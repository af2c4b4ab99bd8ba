import type { Counts } from "./counts.ts"

type VitestFile = { status: string; assertionResults: { status: string }[] }
type VitestResult = {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: VitestFile[]
}

/** Reads the counts from the text of vitest's JSON reporter. A file that could not be loaded counts as one failure. */
export function vitestCounts(json: string): Counts {
  const result = JSON.parse(json) as VitestResult
  const broken = result.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  )
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + broken.length,
    skipped: result.numPendingTests + result.numTodoTests,
  }
}
