/** What one runner did. */
export type Counts = {
  passed: number
  failed: number
  skipped: number
  /** Inputs that fuzz tests tried; Solidity only. */
  fuzzRuns?: number
  /** Calls of invariant tests that did not revert; Solidity only. */
  acceptedCalls?: number
}

/** What each run must reach at least: a suite that quietly shrinks to nothing passes every test it has left. */
export type Floor = Omit<Counts, "failed" | "skipped">

/** `unit: 812 passed, 0 failed`; skipped tests are told when there are any. */
export function closingLine(suite: string, { passed, failed, skipped }: Counts): string {
  return `${suite}: ${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`
}

/** One sentence for each count below its floor. */
export function findBelowFloor(suite: string, counts: Counts, floor: Floor): string[] {
  return floorKeys(floor).flatMap((key) => {
    const least = floor[key] ?? 0
    const found = counts[key] ?? 0
    return found < least ? [`${suite}: ${found} ${WORDS[key]}, and test/floors.json wants at least ${least}`] : []
  })
}

/** Are the counts so far above the floor that half of the suite could vanish unseen? */
export function isFloorLow(counts: Counts, floor: Floor): boolean {
  return floorKeys(floor).some((key) => (counts[key] ?? 0) > 2 * (floor[key] ?? 0))
}

/** The floor to write after this run: nine tenths of what it did, never lower than before. */
export function raiseFloor(counts: Counts, floor: Floor): Floor {
  const raised = (key: keyof Floor): number => Math.max(floor[key] ?? 0, Math.floor((counts[key] ?? 0) * 0.9))
  return {
    passed: raised("passed"),
    ...(counts.fuzzRuns === undefined ? {} : { fuzzRuns: raised("fuzzRuns") }),
    ...(counts.acceptedCalls === undefined ? {} : { acceptedCalls: raised("acceptedCalls") }),
  }
}

const WORDS: Record<keyof Floor, string> = {
  passed: "tests passed",
  fuzzRuns: "fuzz runs",
  acceptedCalls: "calls accepted in invariant tests",
}

function floorKeys(floor: Floor): (keyof Floor)[] {
  return (["passed", "fuzzRuns", "acceptedCalls"] as const).filter((key) => floor[key] !== undefined)
}
