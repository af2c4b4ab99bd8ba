import { FleetrootError, parseCertificate, type Certificate, type Hex, type Verdict } from "../../client/index.ts"
import { ClientCertificateRefusedError } from "../errors/enrolment.ts"
import { LedgerSilentError } from "../errors/revocation.ts"
import type { HttpRequest } from "../http/route.ts"
import type { Enrolment, EnrolmentToken } from "../store/enrolmentStore.ts"
import { secondsNow } from "./context.ts"
import type { EstContext, EstLabel } from "./context.ts"
import type { ReceiptMaker } from "./receiptMaker.ts"
import { basicPassword, tokenHash } from "./tokens.ts"

/** Who asks, and how that was found. */
export type Requester =
  | { readonly kind: "token"; readonly id: string; readonly token: EnrolmentToken }
  | {
      readonly kind: "certificate"
      readonly id: string
      readonly certificate: Certificate
      readonly verdict: Verdict
      /** What the store has of it; undefined if it was not issued here. */
      readonly enrolment: Enrolment | undefined
    }

/** What is only a matter of time. */
const PASSING: ReadonlySet<string | null> = new Set(["notFinal", "revocationUnconfirmed"])
/** How far back the certificates are looked at that a certificate goes back to. */
const LONGEST_LINEAGE = 16
/** Reasons for which a certificate is revoked although its key was always with its owner. */
const HARMLESS: ReadonlySet<string | null> = new Set(["superseded", "cessationOfOperation", "affiliationChanged"])

/** Finds out who asks: by a one-time token, or by the certificate that was proved in this very connection. */
export class Authenticator {
  readonly #context: EstContext
  readonly #receipts: ReceiptMaker

  constructor(context: EstContext, receipts: ReceiptMaker) {
    this.#context = context
    this.#receipts = receipts
  }

  /**
   * Undefined when there is nobody to be recognised: then the client is asked for a password.
   *
   * @throws ClientCertificateRefusedError; LedgerSilentError and StaleHeadError when the ledger cannot be asked.
   */
  async requesterOf(request: HttpRequest, label: EstLabel, withTokens: boolean): Promise<Requester | undefined> {
    const password = basicPassword(request.headers["authorization"])
    if (withTokens && password !== undefined) return this.#byToken(password, label)
    if (request.clientCertificate === undefined) return undefined
    return this.#byCertificate(request.clientCertificate, label)
  }

  /**
   * The certificate that the client proved in this connection, whoever it says it is besides; undefined without one.
   *
   * @throws As {@link requesterOf} does for a certificate that does not count.
   */
  async provenCertificate(request: HttpRequest, label: EstLabel): Promise<Certificate | undefined> {
    if (request.clientCertificate === undefined) return undefined
    const requester = await this.#byCertificate(request.clientCertificate, label)
    return requester.kind === "certificate" ? requester.certificate : undefined
  }

  async #byToken(text: string, { label }: EstLabel): Promise<Requester | undefined> {
    const hash = tokenHash(text)
    const token = await this.#context.store.token(hash)
    if (token === undefined || token.label !== label || secondsNow(this.#context) > token.expiresAt) return undefined
    return { kind: "token", id: `token:${hash}`, token }
  }

  async #byCertificate(der: Uint8Array, label: EstLabel): Promise<Requester> {
    const { store } = this.#context
    const certificate = readCertificate(der)
    const enrolment = await store.byFingerprint(certificate.fingerprint)
    const verdict = await this.#judge(certificate, enrolment)
    if (verdict.status !== "good") {
      const reason = verdict.reason === null ? verdict.status : `${verdict.status}, ${verdict.reason}`
      if (PASSING.has(verdict.reason)) throw new LedgerSilentError({ cause: new Error(reason) })
      throw new ClientCertificateRefusedError({ reason })
    }
    const allowed = label.manufacturers ?? [label.sequencer.manufacturerId]
    if (!allowed.includes(verdict.manufacturer?.id ?? 0)) {
      throw new ClientCertificateRefusedError({ reason: "its manufacturer is none whose devices enrol here" })
    }
    // What has a successor in use is revoked by now, or will be in a moment.
    if (!(await label.sequencer.seen(certificate.fingerprint))) {
      throw new ClientCertificateRefusedError({ reason: "it has been superseded" })
    }
    await this.#judgeLineage(enrolment)
    return { kind: "certificate", id: `certificate:${certificate.fingerprint}`, certificate, verdict, enrolment }
  }

  /** A certificate that was got with a key that is known to be stolen is the thief's, and so is all that follows from it. */
  async #judgeLineage(enrolment: Enrolment | undefined): Promise<void> {
    let before: Hex | undefined = enrolment?.replaces
    for (let step = 0; step < LONGEST_LINEAGE && before !== undefined; step++) {
      const earlier = await this.#context.store.byFingerprint(before)
      if (earlier === undefined) return
      const { status, reason } = await this.#judge(readCertificate(earlier.der), earlier)
      if (status === "revoked" && !HARMLESS.has(reason)) {
        throw new ClientCertificateRefusedError({ reason: `it goes back to a certificate that is revoked, ${reason}` })
      }
      before = earlier.replaces
    }
  }

  async #judge(certificate: Certificate, enrolment: Enrolment | undefined): Promise<Verdict> {
    const { verifier, receipts, places } = this.#context
    const known =
      enrolment !== undefined
        ? { receipt: await this.#receipts.receiptOf(enrolment) }
        : { ...(receipts === undefined ? {} : { receipts }), ...(places === undefined ? {} : { places }) }
    try {
      return await verifier.checkCertificate(certificate.der, known)
    } catch (cause) {
      if (cause instanceof FleetrootError) throw new LedgerSilentError({ cause })
      throw cause
    }
  }
}

function readCertificate(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    if (cause instanceof FleetrootError) throw new ClientCertificateRefusedError({ reason: "it is malformed", cause })
    throw cause
  }
}
