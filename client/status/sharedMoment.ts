import { readMoment } from "../ledger/moment.ts"
import type { MomentOptions } from "../ledger/moment.ts"
import { statusMoment } from "./statusView.ts"
import type { StatusMoment } from "./statusView.ts"
import type { Soon } from "./steps.ts"

/** A moment serves so many questions, for so long: bad news comes in that much later at most. */
const QUESTIONS = 256
const MILLISECONDS = 1_000

/** The newest blocks for questions that follow each other closely, read once for many. */
export class SharedMoment {
  readonly #options: MomentOptions
  readonly #at: Date | undefined
  #current: Soon<StatusMoment> | undefined
  #readAt = 0
  #served = 0

  constructor(options: MomentOptions, at: Date | undefined) {
    this.#options = options
    this.#at = at
  }

  /** At once, or a promise while it is being read. @throws what {@link readMoment} throws. */
  get(): Soon<StatusMoment> {
    const now = this.#options.now().getTime()
    const age = now - this.#readAt
    // A clock that was set back makes everything old.
    const fresh = age >= 0 && age < MILLISECONDS && this.#served < QUESTIONS
    if (this.#current === undefined || !fresh) this.#read(now)
    this.#served++
    return this.#current as Soon<StatusMoment>
  }

  #read(now: number): void {
    const reading = readMoment(this.#options, this.#at).then(statusMoment)
    this.#current = reading
    this.#readAt = now
    this.#served = 0
    const keep = (moment: StatusMoment | undefined): void => {
      if (this.#current === reading) this.#current = moment
    }
    // After a failure, which whoever waits for this meets, the next question asks again.
    reading.then(keep, () => keep(undefined))
  }
}
