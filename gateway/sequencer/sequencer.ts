import type { Hex } from "../../client/index.ts"
import { EnrolmentInterruptedError, EnrolmentQueueFullError } from "../errors/enrolment.ts"
import { Anchoring } from "./anchoring.ts"
import { Collector } from "./collector.ts"
import { isAnchored, secondsNow, settingsOf } from "./context.ts"
import type { EnrolmentOutcome, EnrolmentRequest, SequencerContext, Settings } from "./context.ts"
import type { Enrolment } from "../store/enrolmentStore.ts"
import { Pauses } from "./pauses.ts"

export type { EnrolmentOutcome, EnrolmentRequest, SequencerContext, SequencerEvent, SequencerStep } from "./context.ts"

/** RFC 5280, 5.3.1. */
const SUPERSEDED = 4
/** The longest list that one transaction takes. */
const REVOKED_AT_ONCE = 512

/**
 * Issues certificates and anchors them: all that come in a window are one batch and one transaction.
 *
 * What is on disk before what: the series (nobody else uses it), then all certificates with the root (one write), then the signed
 * transaction (the client's journal), then that it is in a block; only now is a certificate handed out. So whenever the process
 * dies, what was not sealed was never issued and is forgotten, and what was sealed is anchored by the next start, or by another
 * gateway on the same store once the lease has ended. A series is used once for ever, by the contract: nothing is anchored twice.
 */
export class Sequencer {
  readonly #settings: Settings
  readonly #collector: Collector
  readonly #anchoring: Anchoring
  readonly #waiting = new Map<Hex, Promise<EnrolmentOutcome>>()
  readonly #pauses = new Pauses()
  readonly #upkeep: Promise<void>
  #superseding: Promise<void> | undefined
  #closed = false

  private constructor(settings: Settings, firstSeries: number) {
    this.#settings = settings
    this.#anchoring = new Anchoring(settings, () => {
      this.#skipUsedSeries().catch((error: unknown) => {
        settings.report({ kind: "retry", what: "anchor", error })
      })
    })
    this.#collector = new Collector(settings, firstSeries, (sealed) => {
      this.#anchoring.add(sealed)
    })
    this.#upkeep = this.#keepUp()
  }

  /**
   * Starts, going on with what an earlier run left behind.
   *
   * @throws EnrolmentStoreError, and the ledger's errors.
   */
  static async open(context: SequencerContext): Promise<Sequencer> {
    const settings = settingsOf(context)
    const firstSeries = await settings.clients[0].nextSeries({ reserved: true })
    const sequencer = new Sequencer(settings, firstSeries)
    try {
      await sequencer.#takeOver(true)
      return sequencer
    } catch (error) {
      await sequencer.close()
      throw error
    }
  }

  /** Key id of the issuer. */
  get issuerKeyId(): Hex {
    return this.#settings.signer.keyId
  }

  get manufacturerId(): number {
    return this.#settings.manufacturerId
  }

  /** Requests in memory and windows that wait for a block; for metrics. */
  get load(): { readonly requests: number; readonly windows: number } {
    return { requests: this.#waiting.size, windows: this.#anchoring.waiting }
  }

  /**
   * Has a certificate made and anchored; settles when it may be handed out, which can take long: callers wait as long as they like
   * and ask again, with the same `requestId`, here or in the store.
   *
   * @throws EnrolmentQueueFullError, CsrSubjectTakenError, EnrolmentInterruptedError, EnrolmentStoreError, and what `make` throws.
   */
  enrol(request: EnrolmentRequest): Promise<EnrolmentOutcome> {
    const { requestId } = request
    const known = this.#waiting.get(requestId)
    if (known !== undefined) return known
    if (this.#closed) return Promise.reject(new EnrolmentInterruptedError({ reason: "the gateway stops" }))
    const { queueLimit } = this.#settings
    if (this.#waiting.size >= queueLimit) return Promise.reject(new EnrolmentQueueFullError({ limit: queueLimit }))

    const outcome = new Promise<EnrolmentOutcome>((resolve, reject) => {
      this.#collector.add({ request, attempts: 0, resolve, reject })
    }).finally(() => {
      this.#waiting.delete(requestId)
    })
    this.#waiting.set(requestId, outcome)
    // The caller may have stopped waiting.
    outcome.catch(() => undefined)
    return outcome
  }

  /** The outcome of a request that is under way in this process. */
  underWay(requestId: Hex): Promise<EnrolmentOutcome> | undefined {
    return this.#waiting.get(requestId)
  }

  /** Whether what the store holds may be handed out. */
  isAnchored({ window }: Enrolment): boolean {
    return isAnchored(window, this.#settings.finality)
  }

  /**
   * Notes that a certificate is in use, so that the one that it replaces is revoked as superseded. False if it has itself been
   * superseded. Any door that sees a client prove its certificate may tell.
   */
  async seen(fingerprint: Hex): Promise<boolean> {
    const counts = await this.#settings.store.noteUsed(fingerprint, secondsNow(this.#settings))
    this.#supersedeSoon()
    return counts
  }

  /** Stops taking requests, gives up what is not sealed and waits for transactions under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#pauses.end()
    await this.#upkeep
    await this.#collector.close()
    await this.#anchoring.close()
    await this.#superseding
  }

  async #skipUsedSeries(): Promise<void> {
    this.#collector.skipTo(await this.#settings.clients[0].nextSeries({ reserved: true }))
  }

  async #keepUp(): Promise<void> {
    const { leaseSeconds, report } = this.#settings
    while (!this.#closed) {
      await this.#pauses.pause((leaseSeconds * 1000) / 4)
      if (this.#closed) return
      try {
        await this.#collector.settleDoubts()
        await this.#takeOver(false)
        this.#supersedeSoon()
      } catch (error) {
        report({ kind: "retry", what: "store", error })
      }
    }
  }

  async #takeOver(restarted: boolean): Promise<void> {
    const { store, owner, signer, leaseSeconds } = this.#settings
    const now = secondsNow(this.#settings)
    const leaseUntil = now + leaseSeconds
    if (!restarted) await store.renewLease(owner, leaseUntil)
    const windows = await store.takeOver({ owner, issuerKeyId: signer.keyId, now, leaseUntil, restarted })
    for (const window of windows) this.#anchoring.add({ window, waiting: new Map() })
  }

  #supersedeSoon(): void {
    if (this.#closed) return
    this.#superseding ??= this.#supersede()
      .catch((error: unknown) => {
        this.#settings.report({ kind: "retry", what: "supersede", error })
      })
      .finally(() => {
        this.#superseding = undefined
      })
  }

  /** Revokes on the ledger what has a successor in use. */
  async #supersede(): Promise<void> {
    const { store, clients, manufacturerId, report } = this.#settings
    while (!this.#closed) {
      const all = await store.supersessions(manufacturerId, REVOKED_AT_ONCE)
      if (all.length === 0) return
      await clients[0].revoke(
        all.map(({ credentialHash, series, index }) => ({ subject: credentialHash, series, index })),
        { reason: SUPERSEDED },
      )
      await store.supersessionsDone(all.map(({ fingerprint }) => fingerprint))
      report({ kind: "step", step: "superseded", count: all.length })
    }
  }
}
