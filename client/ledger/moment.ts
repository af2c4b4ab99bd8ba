import { ClockBehindError, StaleHeadError, TimeOutOfRangeError } from "../errors/ledger.ts"
import type { Finality, Interest, Ledger, LedgerView } from "./ledger.ts"

/** The views that one answer rests on. Times are Unix seconds. */
export type Moment = {
  /** Where bad news is read. */
  readonly head: LedgerView
  /** Where good news is read: registrations, and the ends of holds. Never newer than `head`; the same view if the same block. */
  readonly settled: LedgerView
  /** Where a key's compromise is read: knowledge of today, also about the past. */
  readonly today: LedgerView
  readonly time: number
  /** Whether `head` is newer than the time asked about: what it shows may have come in between. */
  readonly isLater?: boolean
  readonly staleSeconds: number
}

export type MomentOptions = {
  readonly ledger: Ledger
  readonly now: () => Date
  readonly maxAgeSeconds: number
  readonly registrationFinality: Finality
}

/** Clocks and miners differ by some seconds; more than this is a wrong clock. */
const CLOCK_TOLERANCE_SECONDS = 120

/**
 * The views for a question about `at`, or about now.
 *
 * @param interest What will be read, for ledgers that can save a round trip by it.
 * @throws StaleHeadError, ClockBehindError, TimeOutOfRangeError and the ledger's errors.
 */
export async function readMoment(options: MomentOptions, at: Date | undefined, interest?: Interest): Promise<Moment> {
  const { ledger, maxAgeSeconds } = options
  const { head, settled } = await ledger.heads(options.registrationFinality, interest)
  // The clock is asked after the node: an answer that took long is as old as it is.
  const now = unixSeconds(options.now())
  const ahead = head.block.timestamp - now
  if (ahead > CLOCK_TOLERANCE_SECONDS) throw new ClockBehindError({ behindSeconds: ahead })
  const staleSeconds = Math.max(0, -ahead)
  if (!(staleSeconds <= maxAgeSeconds)) throw new StaleHeadError({ ageSeconds: staleSeconds, maxAgeSeconds })
  if (at === undefined) return { head, settled, today: head, time: now, staleSeconds }

  const time = unixSeconds(at)
  if (!(time <= now + CLOCK_TOLERANCE_SECONDS)) {
    throw new TimeOutOfRangeError({ at, earliest: new Date(0), latest: new Date(now * 1000) })
  }
  // Of the time since the newest final block the present says most; what it cannot say is no yes.
  if (time > settled.block.timestamp) {
    return { head, settled, today: head, time, isLater: time < head.block.timestamp, staleSeconds }
  }
  const past = await ledger.atTime(time)
  return { head: past, settled: past, today: head, time, staleSeconds }
}

function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
