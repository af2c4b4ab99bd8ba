import { createHash } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { generateP256Key, keyIdOf, parseCertificate, toHex, type Hex } from "../../client/index.ts"
import {
  EnrolmentRateError,
  EnrolmentTokenUsedError,
  EstLabelUnfitError,
  KeyEncryptionUnsupportedError,
} from "../errors/enrolment.ts"
import type { HttpRequest } from "../http/route.ts"
import type { EnrolmentOutcome } from "../sequencer/sequencer.ts"
import { Authenticator } from "./authenticate.ts"
import type { Requester } from "./authenticate.ts"
import { CertificateMaker } from "./certificateMaker.ts"
import { readBase64Body } from "./codec.ts"
import { DEFAULTS, secondsNow } from "./context.ts"
import type { EstContext, EstLabel } from "./context.ts"
import { readFitCsr, wantsEncryptedKey } from "./csr.ts"
import type { FitCsr } from "./csr.ts"
import { HourlyCount } from "./hourlyCount.ts"
import { ServerKeys } from "./serverKeys.ts"
import { assertIssuable, assertRenewable, grantNames } from "./policy.ts"
import type { GrantedNames } from "./policy.ts"
import type { ReceiptMaker } from "./receiptMaker.ts"

export type EnrolOperation = "simpleenroll" | "simplereenroll" | "serverkeygen"

/** What an enrolment comes to. `unauthorized`: a password is wanted. `pending`: ask again with the same request. */
export type EnrolAnswer =
  | { readonly state: "issued"; readonly der: Uint8Array; readonly pkcs8?: Uint8Array }
  | { readonly state: "pending" }
  | { readonly state: "unauthorized" }

/** RFC 7030, 3.2.2. */
const OPERATIONS: ReadonlySet<string> = new Set([
  "cacerts",
  "csrattrs",
  "simpleenroll",
  "simplereenroll",
  "serverkeygen",
  "fullcmc",
])
/** Clocks of devices may be behind a little. */
const BACKDATE_SECONDS = 300
/** Certificates that one request leads to over the years: with the same key, from the same certificate. */
const MOST_GENERATIONS = 1_000

/** Decides about certificate requests of one label, and has the certificates made. */
export class Enroller {
  readonly #context: EstContext
  readonly #label: EstLabel
  readonly #authenticator: Authenticator
  readonly #count: HourlyCount
  readonly #serverKeys = new ServerKeys()
  #maker: Promise<CertificateMaker> | undefined

  /** @throws EstLabelUnfitError */
  constructor(context: EstContext, label: EstLabel, receipts: ReceiptMaker) {
    assertLabel(label)
    this.#context = context
    this.#label = label
    this.#authenticator = new Authenticator(context, receipts)
    this.#count = new HourlyCount(context.perDeviceAndHour ?? DEFAULTS.perDeviceAndHour)
  }

  /** @throws EnrolmentError of every kind; see `EST_FAILURE`. */
  async answer(operation: EnrolOperation, request: HttpRequest): Promise<EnrolAnswer> {
    // 1. Who asks?
    const requester = await this.#authenticator.requesterOf(request, this.#label, operation !== "simplereenroll")
    if (requester === undefined) return { state: "unauthorized" }
    if (operation === "simplereenroll") assertRenewable(requester, this.#label)

    // 2. For what?
    const body = readBase64Body(request.body, request.headers["content-type"], "application/pkcs10")
    const fit = await readFitCsr(body)
    if (operation === "serverkeygen" && wantsEncryptedKey(fit.csr)) throw new KeyEncryptionUnsupportedError()
    const names = grantNames(requester, fit, this.#label)

    // 3. Was that asked before?
    const found = await this.#find(operation, requester, fit, names)
    if ("answer" in found) return found.answer
    const { requestId, firstId } = found

    // 4. May it be issued now?
    const { now, latestEnd } = assertIssuable(this.#context, this.#label, fit.csr.keyId)
    if (requester.kind === "certificate") {
      const retryAfterSeconds = this.#count.take(requester.id, now)
      if (retryAfterSeconds > 0) throw new EnrolmentRateError({ retryAfterSeconds })
    }

    // 5. Then it is.
    const replaces = operation === "simplereenroll" ? await this.#predecessor(requester) : undefined
    const maker = await this.#ready()
    const generated = operation === "serverkeygen" ? await generateP256Key() : undefined
    const spki = generated?.spki ?? fit.csr.spki
    const notBefore = Math.max(now - BACKDATE_SECONDS, this.#label.certificate.notBefore)
    const notAfter = Math.min(now + (this.#label.validitySeconds ?? DEFAULTS.validitySeconds), latestEnd)
    const { subject, alternativeNames } = names
    if (generated !== undefined) this.#serverKeys.put(generated.keyId, await generated.exportPkcs8(), now)
    const outcome = this.#label.sequencer.enrol({
      requestId,
      names: names.hashes,
      ownsNames: names.owned,
      ...(replaces === undefined ? {} : { replaces }),
      ...(requester.kind === "token" ? { token: { hash: requester.token.hash, requestId: firstId } } : {}),
      make: (serial) => maker.make(serial, { subject, alternativeNames, spki, notBefore, notAfter }),
    })
    return this.#await(operation, outcome, request.signal)
  }

  /** The certificate that this very question led to before, or the ids under which to ask it anew. */
  async #find(
    operation: EnrolOperation,
    requester: Requester,
    fit: FitCsr,
    names: GrantedNames,
  ): Promise<{ readonly answer: EnrolAnswer } | { readonly requestId: Hex; readonly firstId: Hex }> {
    const { store, repeatSeconds = DEFAULTS.repeatSeconds } = this.#context
    const { sequencer } = this.#label
    const now = secondsNow(this.#context)
    const idOf = (generation: number): Hex => requestIdOf(this.#label, operation, requester, fit, names, generation)
    const firstId = idOf(0)
    for (let generation = 0; generation < MOST_GENERATIONS; generation++) {
      const requestId = idOf(generation)
      const enrolment = await store.byRequest(requestId)
      if (enrolment === undefined) {
        if (await store.isClaimed(requestId)) {
          const answer = await this.#await(operation, sequencer.underWay(requestId))
          return { answer }
        }
        return { requestId, firstId }
      }
      const keyLost = operation === "serverkeygen" && this.#serverKeyOf(enrolment.der) === undefined
      const isOld = enrolment.supersededAt !== undefined || now - enrolment.issuedAt > repeatSeconds
      if (keyLost || (isOld && requester.kind === "certificate")) continue
      if (sequencer.isAnchored(enrolment)) return { answer: this.#issued(operation, enrolment.der) }
      return { answer: await this.#await(operation, sequencer.underWay(requestId)) }
    }
    throw new EnrolmentRateError({ retryAfterSeconds: repeatSeconds })
  }

  /** Waits for a while; who has waited long enough asks again. */
  async #await(
    operation: EnrolOperation,
    outcome: Promise<EnrolmentOutcome> | undefined,
    signal?: AbortSignal,
  ): Promise<EnrolAnswer> {
    if (outcome === undefined) return { state: "pending" }
    const first = await withinHold(outcome, this.#context.holdMs ?? DEFAULTS.holdMs, signal)
    if (first === "tokenUsed") return { state: "unauthorized" }
    return first?.state === "anchored" ? this.#issued(operation, first.der) : { state: "pending" }
  }

  /** A certificate whose key got lost since is not handed out: asked again, there is another with another key. */
  #issued(operation: EnrolOperation, der: Uint8Array): EnrolAnswer {
    if (operation !== "serverkeygen") return { state: "issued", der }
    const pkcs8 = this.#serverKeyOf(der)
    return pkcs8 === undefined ? { state: "pending" } : { state: "issued", der, pkcs8 }
  }

  #serverKeyOf(der: Uint8Array): Uint8Array | undefined {
    return this.#serverKeys.get(parseCertificate(der).keyId, secondsNow(this.#context))
  }

  /** The fingerprint of what is renewed, with its place kept, so that it can be superseded. */
  async #predecessor(requester: Requester): Promise<Hex | undefined> {
    if (requester.kind === "token") return undefined
    const { certificate, verdict, enrolment } = requester
    const { fingerprint, credentialHash } = certificate
    if (enrolment === undefined && verdict.batch !== null && verdict.manufacturer !== null) {
      const { series, index } = verdict.batch
      const manufacturerId = verdict.manufacturer.id
      await this.#context.store.addPredecessor({ fingerprint, credentialHash, manufacturerId, series, index })
    }
    return fingerprint
  }

  #ready(): Promise<CertificateMaker> {
    this.#maker ??= CertificateMaker.make(this.#label)
    return this.#maker
  }
}

function assertLabel({ label, certificate, signer, sequencer }: EstLabel): void {
  const unfit = (reason: string): EstLabelUnfitError => new EstLabelUnfitError({ label, reason })
  if (!/^[A-Za-z0-9_-]{0,64}$/.test(label)) throw unfit("its name has other signs")
  if (OPERATIONS.has(label)) throw unfit("its name is an operation's")
  if (signer.algorithm !== "p256") throw unfit("its key is not of P-256, which the contracts need")
  if (signer.keyId !== certificate.keyId) throw unfit("its key is not that of its certificate")
  if (signer.keyId !== sequencer.issuerKeyId) throw unfit("its key is not that of its sequencer")
}

/**
 * The same for the same requester, key, names and operation: asking twice gives one certificate. A renewal names the certificate that
 * it renews, so the next renewal is another question even with the same key.
 */
function requestIdOf(
  { signer }: EstLabel,
  operation: EnrolOperation,
  { id }: Requester,
  { csr }: FitCsr,
  { hashes, subject, alternativeNames }: GrantedNames,
  generation: number,
): Hex {
  const words = [
    "fleetroot-est-request-v1",
    signer.keyId,
    operation,
    id,
    keyIdOf(csr.spki),
    toHex(subject),
    alternativeNames === undefined ? "" : toHex(alternativeNames),
    hashes.length,
    generation,
  ]
  return `0x${createHash("sha256").update(words.join("|")).digest("hex")}`
}

async function withinHold(
  outcome: Promise<EnrolmentOutcome>,
  holdMs: number,
  signal: AbortSignal | undefined,
): Promise<EnrolmentOutcome | "tokenUsed" | undefined> {
  const ended = new AbortController()
  let onAbort: (() => void) | undefined
  const over = new Promise<undefined>((resolve) => {
    onAbort = () => {
      resolve(undefined)
    }
    sleep(holdMs, undefined, { signal: ended.signal }).then(onAbort, onAbort)
    signal?.addEventListener("abort", onAbort, { once: true })
  })
  try {
    return await Promise.race([outcome, over])
  } catch (error) {
    if (error instanceof EnrolmentTokenUsedError) return "tokenUsed"
    throw error
  } finally {
    ended.abort()
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort)
  }
}
