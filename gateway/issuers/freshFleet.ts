import { ClockBehindError, StaleHeadError, type FleetState } from "../../client/index.ts"
import { LedgerSilentError } from "../errors/revocation.ts"
import { MAX_AGE_SECONDS } from "./context.ts"
import type { RevocationContext } from "./context.ts"

/** The ledger in two pictures, young enough to answer from, and the time. */
export type FreshFleet = {
  readonly head: FleetState
  readonly settled: FleetState
  /** Unix seconds. */
  readonly now: number
  /** The head's time, but never later than `now`: what OCSP and CRLs call thisUpdate. */
  readonly thisUpdate: number
}

/** Clocks and miners differ by some seconds; more than this is a wrong clock. */
const CLOCK_TOLERANCE_SECONDS = 120

/** @throws StaleHeadError, ClockBehindError, LedgerSilentError. */
export function freshFleet({ replica, now: clock, maxAgeSeconds = MAX_AGE_SECONDS }: RevocationContext): FreshFleet {
  const { head, settled } = picture(replica)
  const now = unixSeconds(clock?.() ?? new Date())
  const ageSeconds = now - head.block.timestamp
  if (ageSeconds < -CLOCK_TOLERANCE_SECONDS) throw new ClockBehindError({ behindSeconds: -ageSeconds })
  if (!(ageSeconds <= maxAgeSeconds)) throw new StaleHeadError({ ageSeconds, maxAgeSeconds })
  return { head, settled, now, thisUpdate: Math.min(now, head.block.timestamp) }
}

function picture(replica: RevocationContext["replica"]): Pick<FreshFleet, "head" | "settled"> {
  try {
    return { head: replica.head, settled: replica.settled }
  } catch (cause) {
    throw new LedgerSilentError({ cause })
  }
}

/** Whole seconds since 1970. */
export function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
