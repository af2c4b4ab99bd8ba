import type { LedgerView } from "../ledger.ts"
import type { FleetState } from "./fleetState.ts"

/** A view of a ledger that is in memory: `state` gives at once what the view's own answers promise. */
export interface StateView extends LedgerView {
  readonly state: FleetState
}

/** The picture in memory that a view stands on; undefined if it has to ask. */
export function stateOf(view: LedgerView): FleetState | undefined {
  return (view as Partial<StateView>).state
}
