import { ContractRevertedError, SeriesUsedError } from "../../client/index.ts"
import type { LedgerView, ManufacturerClient } from "../../client/index.ts"
import { EnrolmentInterruptedError } from "../errors/enrolment.ts"
import type { SealedWindow, WindowPlace } from "../store/enrolmentStore.ts"
import type { Sealed } from "./collector.ts"
import { isAnchored } from "./context.ts"
import type { Settings } from "./context.ts"
import { Pauses } from "./pauses.ts"

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** Batches that are asked about in one round. */
const WATCHED_AT_ONCE = 32

/**
 * Brings sealed windows onto the ledger, one transaction each, and stays with them until their block is final: what a reorganisation
 * takes away is registered again. Whatever fails is tried again for as long as the gateway runs, and after.
 */
export class Anchoring {
  readonly #settings: Settings
  readonly #onSeriesUsed: () => void
  readonly #queue: SealedWindow[] = []
  /** In a block that is not final yet. */
  readonly #watched = new Map<string, SealedWindow>()
  readonly #known = new Set<string>()
  /** Who waits for which window. */
  readonly #waiting = new Map<string, Sealed["waiting"]>()
  /** Windows that the contract refuses, and how long each waits for its next try. */
  readonly #refused = new Map<string, number>()
  readonly #lanes: Promise<void>[]
  readonly #watch: Promise<void>
  readonly #pauses = new Pauses()
  #wake: (() => void)[] = []
  #closed = false

  /** @param onSeriesUsed told when the ledger has series that the store does not know of. */
  constructor(settings: Settings, onSeriesUsed: () => void) {
    this.#settings = settings
    this.#onSeriesUsed = onSeriesUsed
    this.#lanes = settings.clients.map((client) => this.#lane(client))
    this.#watch = this.#watchAll()
  }

  /** Takes a window that is not final; one that it has already is left alone. */
  add({ window, waiting }: Sealed): void {
    const key = keyOf(window)
    if (waiting.size > 0) this.#waiting.set(key, waiting)
    const watched = this.#watched.get(key)
    // The store may tell of a window before the one who sealed it does.
    if (watched !== undefined) this.#handOut(watched)
    if (this.#known.has(key)) return
    this.#known.add(key)
    if (window.state === "mined") this.#watched.set(key, window)
    else this.#enqueue(window)
  }

  /** How many windows wait for a block. */
  get waiting(): number {
    return this.#known.size - this.#watched.size
  }

  /** Waits for transactions under way; what is sealed and not anchored stays in the store for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    this.#pauses.end()
    for (const wake of this.#wake.splice(0)) wake()
    await Promise.all([...this.#lanes, this.#watch])
    const error = new EnrolmentInterruptedError({ reason: "the gateway stops" })
    for (const waiting of this.#waiting.values()) for (const one of waiting.values()) one.reject(error)
  }

  #enqueue(window: SealedWindow): void {
    this.#queue.push(window)
    this.#wake.shift()?.()
  }

  async #lane(client: ManufacturerClient): Promise<void> {
    while (!this.#closed) {
      const window = this.#queue.shift()
      if (window === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake.push(resolve)
        })
        continue
      }
      await this.#anchor(client, window)
    }
  }

  async #anchor(client: ManufacturerClient, window: SealedWindow): Promise<void> {
    const { signer, report } = this.#settings
    const { series, root, size, notAfter, issuerKeyId } = window
    for (let pauseMs = FIRST_PAUSE_MS; !this.#closed; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        report({ kind: "step", step: "anchoring", count: size })
        await client.registerBatch({ series, root, size, notAfter, issuerKeyId, issuer: signer })
        report({ kind: "step", step: "inBlock", count: size })
        await this.#settings.store.setState(window, "mined")
        this.#refused.delete(keyOf(window))
        report({ kind: "step", step: "recorded", count: size })
        const mined: SealedWindow = { ...window, state: "mined" }
        this.#watched.set(keyOf(mined), mined)
        this.#handOut(mined)
        return
      } catch (error) {
        if (error instanceof SeriesUsedError) {
          await this.#lose(window, error)
          return
        }
        report({ kind: "retry", what: "anchor", error })
        if (error instanceof ContractRevertedError) {
          this.#setAside(window)
          return
        }
        await this.#pauses.pause(pauseMs)
      }
    }
    // For the end: whoever waits is told there.
    this.#queue.push(window)
  }

  /** What the contract refuses is tried again later, and keeps no other window waiting: that one may be refused for ever. */
  #setAside(window: SealedWindow): void {
    this.#tryLater(window).catch((error: unknown) => {
      this.#settings.report({ kind: "retry", what: "anchor", error })
    })
  }

  async #tryLater(window: SealedWindow): Promise<void> {
    const key = keyOf(window)
    const pauseMs = this.#refused.get(key) ?? FIRST_PAUSE_MS
    this.#refused.set(key, Math.min(pauseMs * 2, LONGEST_PAUSE_MS))
    await this.#pauses.pause(pauseMs)
    if (!this.#closed) this.#enqueue(window)
  }

  /** Somebody who has the issuer's key, but not this store, used the series for another batch. */
  async #lose(window: SealedWindow, error: SeriesUsedError): Promise<void> {
    const { store, report } = this.#settings
    let abandoned: boolean
    try {
      abandoned = await store.abandon(window, "sealed")
    } catch (cause) {
      // Nobody knows whether it still stands there: it is looked at again.
      report({ kind: "retry", what: "store", error: cause })
      this.#setAside(window)
      return
    }
    if (!abandoned) report({ kind: "lost", window, error })
    const interrupted = new EnrolmentInterruptedError({ reason: "its series is another batch's", cause: error })
    this.#onSeriesUsed()
    const key = keyOf(window)
    for (const one of this.#waiting.get(key)?.values() ?? []) one.reject(interrupted)
    this.#waiting.delete(key)
    this.#known.delete(key)
  }

  #handOut(window: SealedWindow): void {
    const key = keyOf(window)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined || !isAnchored(window, this.#settings.finality)) return
    this.#waiting.delete(key)
    for (const [{ der, fingerprint }, one] of waiting) one.resolve({ state: "anchored", der, fingerprint })
    this.#settings.report({ kind: "step", step: "handedOut", count: waiting.size })
  }

  async #watchAll(): Promise<void> {
    const { ledger, watchMs, report } = this.#settings
    while (!this.#closed) {
      await this.#pauses.pause(watchMs)
      if (this.#watched.size === 0 || this.#closed) continue
      try {
        const final = await ledger.at("finalized")
        const latest = await ledger.at("latest")
        // The oldest first: they are the first to be final.
        for (const window of [...this.#watched.values()].slice(0, WATCHED_AT_ONCE)) {
          await this.#look(window, final, latest)
        }
      } catch (error) {
        report({ kind: "retry", what: "watch", error })
      }
    }
  }

  async #look(window: SealedWindow, final: LedgerView, latest: LedgerView): Promise<void> {
    const { store, report } = this.#settings
    const key = keyOf(window)
    if (await holds(final, window)) {
      await store.setState(window, "final")
      this.#watched.delete(key)
      this.#known.delete(key)
      report({ kind: "step", step: "final", count: window.size })
      this.#handOut({ ...window, state: "final" })
      return
    }
    // To the end of the line, so that all are asked about in turn.
    this.#watched.delete(key)
    this.#watched.set(key, window)
    if (await holds(latest, window)) return
    // A reorganisation took its block away, and its transaction may not come back by itself. Until it is back nobody else is
    // given one of its certificates.
    await store.setState(window, "displaced")
    this.#watched.delete(key)
    this.#enqueue({ ...window, state: "displaced" })
  }
}

async function holds(view: LedgerView, { manufacturerId, series, root }: SealedWindow): Promise<boolean> {
  const batch = await view.batch(manufacturerId, series)
  return batch?.root === root
}

function keyOf({ manufacturerId, series }: WindowPlace): string {
  return `${manufacturerId}:${series}`
}
