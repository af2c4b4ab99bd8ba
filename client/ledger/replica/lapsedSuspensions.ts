import type { FleetChange } from "./fleetState.ts"
import type { LogState } from "./logState.ts"

type States = { readonly head: LogState; readonly settled: LogState }

/** The manufacturers whose suspension ended by itself between two pairs of states. */
export function lapsedSuspensions(before: States | undefined, after: States): FleetChange[] {
  if (before === undefined) return []
  const changes: FleetChange[] = []
  for (const [from, to] of [
    [before.head.time, after.head.time],
    [before.settled.time, after.settled.time],
  ] as const) {
    for (const { id, status, statusSince } of after.head.manufacturers()) {
      if (status === "active" && statusSince > from && statusSince <= to) {
        changes.push({ kind: "manufacturer", manufacturerId: id })
      }
    }
  }
  return changes
}
