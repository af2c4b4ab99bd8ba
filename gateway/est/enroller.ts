import { createHash } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { generateP256Key, keyIdOf, parseCertificate, toHex, type Hex } from "../../client/index.ts"
import { EnrolmentRateError, EnrolmentTokenUsedError, EstLabelUnfitError } from "../errors/enrolment.ts"
import type { HttpRequest } from "../http/route.ts"
import type { EnrolmentOutcome } from "../sequencer/sequencer.ts"
import { Authenticator } from "./authenticate.ts"
import type { Requester } from "./authenticate.ts"
import { CertificateMaker } from "./certificateMaker.ts"
import { readBase64Body } from "./codec.ts"
import type { GivenKey } from "./codec.ts"
import { DEFAULTS, secondsNow } from "./context.ts"
import type { EstContext, EstLabel } from "./context.ts"
import { readFitCsr } from "./csr.ts"
import type { FitCsr } from "./csr.ts"
import { envelopedKey } from "./envelopedKey.ts"
import { HourlyCount } from "./hourlyCount.ts"
import { KeyGenerator } from "./keyGenerator.ts"
import { certificateRecipient, sharedRecipient, wantedEncryption } from "./keyRecipient.ts"
import type { KeyRecipient, WantedEncryption } from "./keyRecipient.ts"
import { assertLinked } from "./linking.ts"
import { ServerKeys } from "./serverKeys.ts"
import { assertIssuable, assertRenewable, grantNames } from "./policy.ts"
import type { GrantedNames } from "./policy.ts"
import type { ReceiptMaker } from "./receiptMaker.ts"

export type EnrolOperation = "simpleenroll" | "simplereenroll" | "serverkeygen"

/** What an enrolment comes to. `unauthorized`: a password is wanted. `pending`: ask again with the same request. */
export type EnrolAnswer =
  | { readonly state: "issued"; readonly der: Uint8Array; readonly key?: GivenKey }
  | { readonly state: "pending" }
  | { readonly state: "unauthorized" }

/** What is asked, and who may read a key that is made for it: undefined, whoever reads the answer. */
type Asked = { readonly operation: EnrolOperation; readonly recipient: KeyRecipient | undefined }

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
  readonly #keyGenerator: KeyGenerator
  #maker: Promise<CertificateMaker> | undefined

  /** @throws EstLabelUnfitError */
  constructor(context: EstContext, label: EstLabel, receipts: ReceiptMaker) {
    assertLabel(label)
    this.#context = context
    this.#label = label
    this.#authenticator = new Authenticator(context, receipts)
    this.#keyGenerator = new KeyGenerator(label.certificate, label.signer)
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
    assertLinked(fit.csr, request, this.#label.channelLinking ?? "checked")
    const encryption = operation === "serverkeygen" ? wantedEncryption(fit.csr) : undefined
    const recipient = encryption && (await this.#recipientOf(encryption, requester, request))
    const asked: Asked = { operation, recipient }
    const names = grantNames(requester, fit, this.#label)

    // 3. Was that asked before?
    const idOf = (generation: number): Hex =>
      requestIdOf(this.#label, { operation, requester, fit, names, encryption, generation })
    const found = await this.#find(asked, requester, idOf)
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
    return this.#await(asked, outcome, request.signal)
  }

  /** The certificate that this very question led to before, or the ids under which to ask it anew. */
  async #find(
    asked: Asked,
    requester: Requester,
    idOf: (generation: number) => Hex,
  ): Promise<{ readonly answer: EnrolAnswer } | { readonly requestId: Hex; readonly firstId: Hex }> {
    const { store, repeatSeconds = DEFAULTS.repeatSeconds } = this.#context
    const { sequencer } = this.#label
    const now = secondsNow(this.#context)
    const firstId = idOf(0)
    for (let generation = 0; generation < MOST_GENERATIONS; generation++) {
      const requestId = idOf(generation)
      const enrolment = await store.byRequest(requestId)
      if (enrolment === undefined) {
        if (await store.isClaimed(requestId)) {
          const answer = await this.#await(asked, sequencer.underWay(requestId))
          return { answer }
        }
        return { requestId, firstId }
      }
      const keyLost = asked.operation === "serverkeygen" && this.#serverKeyOf(enrolment.der) === undefined
      const isOld = enrolment.supersededAt !== undefined || now - enrolment.issuedAt > repeatSeconds
      if (keyLost || (isOld && requester.kind === "certificate")) continue
      if (sequencer.isAnchored(enrolment)) return { answer: await this.#issued(asked, enrolment.der) }
      return { answer: await this.#await(asked, sequencer.underWay(requestId)) }
    }
    throw new EnrolmentRateError({ retryAfterSeconds: repeatSeconds })
  }

  /** Waits for a while; who has waited long enough asks again. */
  async #await(
    asked: Asked,
    outcome: Promise<EnrolmentOutcome> | undefined,
    signal?: AbortSignal,
  ): Promise<EnrolAnswer> {
    if (outcome === undefined) return { state: "pending" }
    const first = await withinHold(outcome, this.#context.holdMs ?? DEFAULTS.holdMs, signal)
    if (first === "tokenUsed") return { state: "unauthorized" }
    return first?.state === "anchored" ? this.#issued(asked, first.der) : { state: "pending" }
  }

  /** A certificate whose key got lost since is not handed out: asked again, there is another with another key. */
  async #issued({ operation, recipient }: Asked, der: Uint8Array): Promise<EnrolAnswer> {
    if (operation !== "serverkeygen") return { state: "issued", der }
    const pkcs8 = this.#serverKeyOf(der)
    if (pkcs8 === undefined) return { state: "pending" }
    if (recipient === undefined) return { state: "issued", der, key: { kind: "plain", octets: pkcs8 } }
    const signed = await this.#keyGenerator.sign(pkcs8, secondsNow(this.#context))
    return { state: "issued", der, key: { kind: "enveloped", octets: envelopedKey(signed, recipient) } }
  }

  /** Only a key that was proved in this connection is encrypted for: no word of anybody's chooses who reads a private key. */
  async #recipientOf(wanted: WantedEncryption, requester: Requester, request: HttpRequest): Promise<KeyRecipient> {
    if (wanted.kind === "shared") return sharedRecipient(wanted, this.#label.sharedSecrets)
    const proven =
      requester.kind === "certificate"
        ? requester.certificate
        : await this.#authenticator.provenCertificate(request, this.#label)
    return certificateRecipient(wanted, proven)
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

type Question = {
  readonly operation: EnrolOperation
  readonly requester: Requester
  readonly fit: FitCsr
  readonly names: GrantedNames
  readonly encryption: WantedEncryption | undefined
  readonly generation: number
}

/**
 * The same for the same requester, key, names and operation: asking twice gives one certificate. A renewal names the certificate that
 * it renews, so the next renewal is another question even with the same key.
 */
function requestIdOf(
  { signer }: EstLabel,
  { operation, requester, fit, names, encryption, generation }: Question,
): Hex {
  const { hashes, subject, alternativeNames } = names
  const words = [
    "fleetroot-est-request-v1",
    signer.keyId,
    operation,
    requester.id,
    keyIdOf(fit.csr.spki),
    toHex(subject),
    alternativeNames === undefined ? "" : toHex(alternativeNames),
    hashes.length,
    generation,
    // A key that was asked for encrypted is never given to a question without that.
    ...(encryption === undefined ? [] : [encryption.kind, toHex(encryption.identifier)]),
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
