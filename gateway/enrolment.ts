import { randomUUID } from "node:crypto"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Counter, Gauge } from "prom-client"
import type { Logger } from "pino"
import {
  LedgerWriter,
  ManufacturerClient,
  parseCertificate,
  toHex,
  Verifier,
  type CheckOptions,
  type Deployment,
  type Hex,
  type JsonRpc,
  type Ledger,
  type Payer,
  type Receipt,
  type Replica,
} from "../client/index.ts"
import { openJournal, writeFileAtomic, type FileJournal } from "../client/node/index.ts"
import type { GatewayConfig } from "./config.ts"
import { crlAddresses } from "./crl/index.ts"
import { openDeviceReceipts, type DeviceReceipts } from "./deviceReceipts.ts"
import { estRoutes, readSharedSecrets, receiptRoutes } from "./est/index.ts"
import type { EstEvent, EstLabel } from "./est/index.ts"
import { ReceiptMaker } from "./est/receiptMaker.ts"
import type { Metrics } from "./http/metrics.ts"
import { problemAnswer } from "./http/problem.ts"
import { Router } from "./http/router.ts"
import type { HttpAnswer, HttpRequest, Route } from "./http/route.ts"
import type { CredentialPlace } from "./issuers/placeFinder.ts"
import type { OpenIssuer } from "./openIssuers.ts"
import { Sequencer } from "./sequencer/sequencer.ts"
import type { SequencerEvent } from "./sequencer/sequencer.ts"
import type { Enrolment, EnrolmentStore } from "./store/enrolmentStore.ts"
import { openEnrolmentStore } from "./store/openSerialStore.ts"
import type { SerialEntry } from "./store/serialMap.ts"

export type EnrolmentOptions = {
  readonly config: GatewayConfig
  readonly issuers: readonly OpenIssuer[]
  readonly deployment: Deployment
  readonly endpoints: readonly [JsonRpc, ...JsonRpc[]]
  /** The ledger as nodes tell it now. */
  readonly ledger: Ledger
  readonly replica: Replica
  /** The index of manifests that were checked. Default: none. */
  readonly places?: CheckOptions["places"] | undefined
  /** Who registers batches and pays for it. */
  readonly payer: Payer
  readonly metrics: Metrics
  readonly log: Logger
}

const EST = "/.well-known/est/"
const RETRY_MS = 5_000
const MOST_BYTES = 96 * 1024

/**
 * Enrolment at all issuers whose keys are here. It needs the ledger to begin, which may be away when the gateway starts: until then
 * its addresses answer 503, and it is tried again and again.
 */
export class EnrolmentService {
  readonly routes: readonly Route[]
  readonly #options: EnrolmentOptions
  readonly #stopping = new AbortController()
  readonly #sequencers: Sequencer[] = []
  readonly #report: Reporters
  #publicUrl = ""
  #router: Router | undefined
  #store: EnrolmentStore | undefined
  #receiptMaker: ReceiptMaker | undefined
  #journal: FileJournal | undefined
  #receipts: DeviceReceipts | undefined
  #opening: Promise<void> = Promise.resolve()

  constructor(options: EnrolmentOptions) {
    this.#options = options
    this.#report = reporters(options.metrics, options.log, () => this.#sequencers)
    const handle = (request: HttpRequest): Promise<HttpAnswer> => this.#handle(request)
    this.routes = [
      { name: "est", methods: ["GET", "POST"], path: EST, maxBodyBytes: MOST_BYTES, secureOnly: true, handle },
      { name: "receipt", methods: ["GET"], path: "/receipts/", maxBodyBytes: 0, handle },
    ]
  }

  /** Whether certificates are issued. */
  get ready(): boolean {
    return this.#router !== undefined
  }

  /** A certificate that was issued here, by its fingerprint or credential hash. @throws EnrolmentStoreError */
  async find(hash: Hex): Promise<SerialEntry | undefined> {
    const enrolment = (await this.#store?.byFingerprint(hash)) ?? (await this.#store?.byCredential(hash))
    if (enrolment === undefined || !wasHandedOut(enrolment)) return undefined
    const { serial, keyId, notBefore, notAfter } = parseCertificate(enrolment.der)
    const { window, index, credentialHash, fingerprint } = enrolment
    const { manufacturerId, series, issuerKeyId } = window
    return {
      issuerKeyId,
      serial: toHex(serial),
      credentialHash,
      deviceKeyId: keyId,
      place: { manufacturerId, series, index },
      notBefore,
      notAfter,
      fingerprint,
    }
  }

  /** The receipt of a certificate that was issued here. @throws EnrolmentStoreError */
  async receiptOf(credentialHash: Hex): Promise<Receipt | undefined> {
    const enrolment = await this.#store?.byCredential(credentialHash)
    return enrolment === undefined || !wasHandedOut(enrolment) ? undefined : this.#receiptMaker?.receiptOf(enrolment)
  }

  /**
   * Where certificates stand that were issued here, by their credential hash or their device's key.
   *
   * @throws EnrolmentStoreError, or an error before enrolment is ready.
   */
  async placesOf(subject: Hex): Promise<readonly CredentialPlace[]> {
    if (this.#store === undefined) throw new Error("Enrolment is not ready.")
    return this.#store.placesOf(subject)
  }

  /** Begins, at once or as soon as the ledger answers. */
  start(publicUrl: string): void {
    this.#publicUrl = publicUrl
    this.#opening = this.#open()
  }

  /** Takes nothing new, and waits for transactions under way. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#opening
    await this.#letGo()
  }

  async #handle(request: HttpRequest): Promise<HttpAnswer> {
    if (this.#router === undefined) {
      return problemAnswer({ status: 503, title: "Enrolment is not ready yet" }, { "Retry-After": "5" })
    }
    const found = this.#router.find(request.method, request.path)
    if (found.kind === "route") return found.route.handle(request)
    if (found.kind === "nothing") return problemAnswer({ status: 404, title: "Nothing is at this address" })
    const answer = { status: 405, title: "This address knows no such method" }
    return problemAnswer(answer, { Allow: found.allowed.join(", ") })
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopping
    const { log } = this.#options
    let told = ""
    while (!signal.aborted) {
      try {
        const routes = await this.#openAll()
        this.#router = new Router(routes)
        log.info({ labels: this.#sequencers.length }, "enrolment is ready")
        return
      } catch (error) {
        const reason = error instanceof Error ? error.message : ""
        if (reason !== told) log.warn({ err: error }, "enrolment cannot begin; it is tried again")
        told = reason
        await this.#letGo()
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #openAll(): Promise<Route[]> {
    const { config, deployment, endpoints, ledger, replica, payer, issuers, places } = this.#options
    const { state, database, maxAgeSeconds, est, sequencer } = config
    await mkdir(state, { recursive: true, mode: 0o700 })
    const store = (this.#store = await openEnrolmentStore({ state, database, deployment }))
    this.#receiptMaker = new ReceiptMaker(store, deployment)
    const account = payer.address.toLowerCase() as Hex
    const journal = (this.#journal = await openJournal({ folder: state, deployment, account, purpose: "gateway" }))
    const [rpc] = endpoints
    const writer = new LedgerWriter({ deployment, rpc, payer, journal })
    const sharedSecrets = est.sharedSecrets === undefined ? undefined : await readSharedSecrets(est.sharedSecrets)
    const owner = sequencer.owner ?? (await ownerName(state))
    const labels: EstLabel[] = []
    for (const { issuer, config: named } of issuers) {
      const { signer, certificate, keyId } = issuer
      if (signer === undefined || signer.algorithm !== "p256") continue
      const manufacturerId = named.manufacturer ?? (await manufacturerOf(replica, keyId))
      const client = new ManufacturerClient({ ledger, writer, rpc, manufacturerId })
      const opened = await Sequencer.open({
        ...sequencer,
        owner,
        store,
        ledger,
        clients: [client],
        manufacturerId,
        signer,
        report: this.#report.sequencer,
      })
      this.#sequencers.push(opened)
      const crl = crlAddresses(this.#publicUrl, keyId)
      labels.push({
        ...est.label,
        ...(sharedSecrets === undefined ? {} : { sharedSecrets }),
        label: named.label ?? "",
        certificate,
        signer,
        sequencer: opened,
        aiaOcsp: `${this.#publicUrl}/ocsp`,
        crlUrl: crl.complete,
      })
    }
    const verifier = new Verifier({
      ledger: replica,
      maxAgeSeconds,
      registrationFinality: sequencer.finality ?? "latest",
    })
    const receipts = (this.#receipts = await openDeviceReceipts(est.devices))
    const context = {
      labels,
      store,
      replica,
      verifier,
      receipts,
      ...(places === undefined ? {} : { places }),
      maxAgeSeconds,
      ...est.shared,
      report: this.#report.est,
    }
    return [...estRoutes(context), ...receiptRoutes({ store, deployment })]
  }

  async #letGo(): Promise<void> {
    this.#router = undefined
    for (const sequencer of this.#sequencers.splice(0)) await sequencer.close()
    await this.#receipts?.close()
    this.#receipts = undefined
    this.#journal?.close()
    this.#journal = undefined
    const store = this.#store
    this.#store = undefined
    this.#receiptMaker = undefined
    await store?.close()
  }
}

/** Of what nobody was given nobody learns. */
function wasHandedOut({ window }: Enrolment): boolean {
  return window.state !== "sealed"
}

async function manufacturerOf(replica: Replica, keyId: Hex): Promise<number> {
  // What is thrown here is tried again: the ledger may not have been read yet.
  const owner = replica.head.keyById(keyId)?.manufacturerId
  if (owner === undefined) throw new Error(`The ledger knows no key ${keyId}.`)
  return owner
}

/** A name for this gateway that is the same after a restart, and nobody else's. */
async function ownerName(state: string): Promise<string> {
  const path = join(state, "owner")
  const known = await readFile(path, "utf8").catch(() => "")
  if (/^[0-9a-f-]{36}$/.test(known)) return known
  const name = randomUUID()
  await writeFileAtomic(path, name)
  return name
}

type Reporters = {
  readonly est: (event: EstEvent) => void
  readonly sequencer: (event: SequencerEvent) => void
}

/** Counts what happens, and logs what goes wrong: never to whom. */
function reporters({ registry }: Metrics, log: Logger, sequencers: () => readonly Sequencer[]): Reporters {
  const registers = [registry]
  const answers = new Counter({
    name: "fleetroot_est_answers_total",
    help: "Answers of EST, by operation, label and HTTP status.",
    labelNames: ["operation", "label", "status"],
    registers,
  })
  const steps = new Counter({
    name: "fleetroot_sequencer_steps_total",
    help: "Windows and certificates that reached a step on their way to the ledger.",
    labelNames: ["step"],
    registers,
  })
  const troubles = new Counter({
    name: "fleetroot_sequencer_troubles_total",
    help: "What failed and is tried again; `lost` is a batch that can never be registered, and needs a person.",
    labelNames: ["what"],
    registers,
  })
  const gauge = (name: string, help: string, read: (sequencer: Sequencer) => number): void => {
    const collect = function (this: Gauge): void {
      this.set(sequencers().reduce((sum, sequencer) => sum + read(sequencer), 0))
    }
    registry.registerMetric(new Gauge({ name: `fleetroot_sequencer_${name}`, help, registers: [], collect }))
  }
  gauge("requests", "Requests in memory that wait for their certificates.", ({ load }) => load.requests)
  gauge("windows", "Windows that wait for a block.", ({ load }) => load.windows)
  return {
    est: ({ operation, label, status, why, error }) => {
      answers.inc({ operation, label, status })
      if (status >= 500) log.warn({ operation, label, status, why, err: error }, "no certificate")
      else if (status >= 400) log.debug({ operation, label, status, why }, "no certificate")
    },
    sequencer: (event) => {
      if (event.kind === "step") {
        steps.inc({ step: event.step }, event.count)
        return
      }
      troubles.inc({ what: event.kind === "lost" ? "lost" : event.what })
      if (event.kind === "lost") log.error({ ...event.window, err: event.error }, "a batch can never be registered")
      else log.warn({ what: event.what, err: event.error }, "tried again")
    },
  }
}
