import { encodePositionSerial, fromHex, MerkleTree, parseCertificate, toHex } from "../../client/index.ts"
import type { Certificate } from "../../client/index.ts"
import { CsrSubjectTakenError, EnrolmentInterruptedError, EnrolmentTokenUsedError } from "../errors/enrolment.ts"
import type { IssuedCertificate, SealedCertificate, SealedWindow, WindowPlace } from "../store/enrolmentStore.ts"
import { secondsNow } from "./context.ts"
import type { EnrolmentOutcome, EnrolmentRequest, Settings } from "./context.ts"

/** A request and whoever waits for its certificate. */
export type Waiting = {
  readonly request: EnrolmentRequest
  /** How many windows it was in that came to nothing. */
  attempts: number
  resolve(outcome: EnrolmentOutcome): void
  reject(error: unknown): void
}

/** A batch whose certificates are written, and who waits for it to be anchored. */
export type Sealed = { readonly window: SealedWindow; readonly waiting: ReadonlyMap<IssuedCertificate, Waiting> }

type Entry = { readonly waiting: Waiting; readonly signed: Promise<Certificate> }
type OpenWindow = WindowPlace & { readonly entries: Entry[]; timer: NodeJS.Timeout | undefined }

/** Requests that are claimed in one transaction. */
const CLAIMED_AT_ONCE = 256
/** Signatures under way: enough to keep an HSM and all cores busy. */
const SIGNED_AT_ONCE = 32
const MOST_ATTEMPTS = 3

/** Collects requests into windows: each gets a place, and a certificate with that place in its serial number. */
export class Collector {
  readonly #settings: Settings
  readonly #onSealed: (sealed: Sealed) => void
  readonly #arrivals: Waiting[] = []
  readonly #slots = new Slots(SIGNED_AT_ONCE)
  /** Windows of which nobody knows whether they were sealed, because the store did not answer. */
  readonly #doubtful = new Set<WindowPlace>()
  #open: OpenWindow | undefined
  #turn: Promise<void> = Promise.resolve()
  #pumping = false
  #firstSeries: number
  #closed = false
  readonly #sealing = new Set<Promise<void>>()

  constructor(settings: Settings, firstSeries: number, onSealed: (sealed: Sealed) => void) {
    this.#settings = settings
    this.#firstSeries = firstSeries
    this.#onSealed = onSealed
  }

  add(waiting: Waiting): void {
    if (this.#closed) {
      waiting.reject(new EnrolmentInterruptedError({ reason: "the gateway stops" }))
      return
    }
    this.#arrivals.push(waiting)
    if (this.#pumping) return
    this.#pumping = true
    this.#inTurn(() => this.#pump())
  }

  /** From now on no series below this one is used: the ledger has them. */
  skipTo(series: number): void {
    this.#firstSeries = Math.max(this.#firstSeries, series)
  }

  /** Clears up windows that the store did not answer about. What was sealed after all is found by `EnrolmentStore.takeOver`. */
  async settleDoubts(): Promise<void> {
    for (const place of this.#doubtful) {
      await this.#settings.store.abandon(place, "open")
      this.#doubtful.delete(place)
    }
  }

  /** Gives up what is not sealed. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#turn
    const open = this.#detach()
    const error = new EnrolmentInterruptedError({ reason: "the gateway stops" })
    for (const waiting of this.#arrivals.splice(0)) waiting.reject(error)
    if (open !== undefined) {
      for (const { waiting, signed } of open.entries) {
        signed.catch(() => undefined)
        waiting.reject(error)
      }
      await this.#settings.store.abandon(open, "open").catch(() => undefined)
    }
    await Promise.all(this.#sealing)
  }

  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      this.#settings.report({ kind: "retry", what: "store", error })
    })
  }

  async #pump(): Promise<void> {
    try {
      // Those who came in this very moment go together.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      while (this.#arrivals.length > 0 && !this.#closed) await this.#take()
    } finally {
      this.#pumping = false
    }
  }

  async #take(): Promise<void> {
    const { store, windowSize, report } = this.#settings
    const some = this.#arrivals.splice(0, CLAIMED_AT_ONCE)
    try {
      const open = (this.#open ??= await this.#reserve())
      // What does not fit any more waits for the next window.
      this.#arrivals.unshift(...some.splice(windowSize - open.entries.length))
      const outcomes = await store.claim(
        open,
        some.map(({ request }) => request),
      )
      for (const [i, waiting] of some.entries()) {
        const outcome = outcomes[i]
        if (outcome === "claimed") this.#place(open, waiting)
        else if (outcome === "nameTaken") waiting.reject(new CsrSubjectTakenError())
        else if (outcome === "tokenUsed") waiting.reject(new EnrolmentTokenUsedError())
        else waiting.resolve({ state: "elsewhere" })
      }
      report({ kind: "step", step: "claimed", count: some.length })
      if (open.entries.length >= windowSize) this.#shut(open)
    } catch (error) {
      for (const waiting of some) waiting.reject(error)
    }
  }

  async #reserve(): Promise<OpenWindow> {
    const { store, manufacturerId, signer, owner, leaseSeconds, windowMs, report } = this.#settings
    const leaseUntil = secondsNow(this.#settings) + leaseSeconds
    const firstSeries = this.#firstSeries
    const series = await store.openWindow({ manufacturerId, issuerKeyId: signer.keyId, owner, leaseUntil, firstSeries })
    report({ kind: "step", step: "reserved", count: 1 })
    const open: OpenWindow = { manufacturerId, series, entries: [], timer: undefined }
    open.timer = setTimeout(() => {
      this.#inTurn(async () => {
        if (this.#open === open) this.#shut(open)
      })
    }, windowMs)
    return open
  }

  #place(open: OpenWindow, waiting: Waiting): void {
    const { ledger, signer } = this.#settings
    const { chainId, contracts } = ledger.deployment
    const { manufacturerId, series } = open
    const serial = encodePositionSerial({
      chainId: BigInt(chainId),
      registry: contracts.devices.address,
      issuerKeyId: signer.keyId,
      manufacturerId,
      series,
      index: open.entries.length,
    })
    const signed = this.#slots.run(async () => parseCertificate(await waiting.request.make(serial)))
    // Looked at when the window is sealed.
    signed.catch(() => undefined)
    open.entries.push({ waiting, signed })
  }

  #detach(): OpenWindow | undefined {
    const open = this.#open
    this.#open = undefined
    clearTimeout(open?.timer)
    return open
  }

  /** Nothing more goes into this window. */
  #shut(open: OpenWindow): void {
    this.#detach()
    const sealing = (open.entries.length === 0 ? this.#drop(open) : this.#seal(open)).finally(() => {
      this.#sealing.delete(sealing)
    })
    this.#sealing.add(sealing)
  }

  async #seal(open: OpenWindow): Promise<void> {
    const { store, owner, signer, report } = this.#settings
    const { manufacturerId, series, entries } = open
    const made = await Promise.allSettled(entries.map(({ signed }) => signed))
    const certificates = made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
    if (certificates.length < made.length) {
      await this.#unseal(open, made)
      return
    }
    report({ kind: "step", step: "signed", count: certificates.length })
    const issuedAt = secondsNow(this.#settings)
    const issued = certificates.map((certificate, index): SealedCertificate => {
      const { requestId, replaces } = (entries[index] as Entry).waiting.request
      const { fingerprint, credentialHash, der, keyId } = certificate
      return { requestId, index, fingerprint, credentialHash, deviceKeyId: keyId, der, issuedAt, replaces }
    })
    const tree = MerkleTree.fromCredentialHashes(issued.map(({ credentialHash }) => fromHex(credentialHash)))
    const root = toHex(tree.root())
    const notAfter = certificates.reduce((latest, one) => Math.max(latest, one.notAfter), 0)
    const place = { manufacturerId, series }
    try {
      if (!(await store.seal({ ...place, owner, root, notAfter, certificates: issued }))) {
        // Another gateway took this one for dead.
        for (const { waiting } of entries) this.#again(waiting)
        return
      }
    } catch (error) {
      this.#doubtful.add(place)
      for (const { waiting } of entries) waiting.reject(error)
      return
    }
    report({ kind: "step", step: "sealed", count: issued.length })
    this.#onSealed({
      window: { ...place, state: "sealed", issuerKeyId: signer.keyId, root, size: issued.length, notAfter },
      waiting: new Map(issued.map((one, index) => [one, (entries[index] as Entry).waiting])),
    })
  }

  /** Some could not be signed, and a batch has no gaps: the others get places in another. */
  async #unseal(open: OpenWindow, made: readonly PromiseSettledResult<Certificate>[]): Promise<void> {
    await this.#drop(open)
    for (const [i, { waiting }] of open.entries.entries()) {
      const one = made[i]
      if (one?.status === "rejected") waiting.reject(one.reason)
      else this.#again(waiting)
    }
  }

  async #drop(open: OpenWindow): Promise<void> {
    try {
      await this.#settings.store.abandon(open, "open")
    } catch (error) {
      this.#doubtful.add(open)
      this.#settings.report({ kind: "retry", what: "store", error })
    }
  }

  #again(waiting: Waiting): void {
    waiting.attempts += 1
    if (waiting.attempts < MOST_ATTEMPTS) this.add(waiting)
    else waiting.reject(new EnrolmentInterruptedError({ reason: "its batch came to nothing several times" }))
  }
}

/** So much at a time, the rest in its order. */
class Slots {
  #free: number
  readonly #queue: (() => void)[] = []

  constructor(slots: number) {
    this.#free = slots
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) {
      await new Promise<void>((resolve) => {
        this.#queue.push(resolve)
      })
    } else this.#free -= 1
    try {
      return await work()
    } finally {
      const next = this.#queue.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
