import type { LedgerKey, PlaceStatus } from "../../client/index.ts"
import { IssuerKeyAbsentError, OcspIssuerForeignError } from "../errors/revocation.ts"
import type { RevocationContext } from "../issuers/context.ts"
import { freshFleet } from "../issuers/freshFleet.ts"
import type { FreshFleet } from "../issuers/freshFleet.ts"
import type { Issuer } from "../issuers/issuer.ts"
import { LastingNews } from "../issuers/lastingNews.ts"
import type { Responder } from "../issuers/responder.ts"
import { findSerial, serialStatus } from "../issuers/serialStatus.ts"
import type { SerialSubject } from "../issuers/serialStatus.ts"
import { AnswerCache } from "./answerCache.ts"
import type { SignedAnswer } from "./answerCache.ts"
import { encodeOcspFailure, encodeOcspResponse, readOcspRequest } from "./codec.ts"
import type { CertId, SingleResponse } from "./codec.ts"
import { OCSP_FAILURE, OCSP_INTERNAL_ERROR } from "./failures.ts"
import { ResponderBook } from "./responderBook.ts"

export type OcspContext = RevocationContext & {
  /**
   * How long an answer may be kept, in seconds. Default: 60. Short on purpose: nginx keeps a "good" until then, over reloads too.
   */
  readonly lifetimeSeconds?: number
  /** Most certificates in one request. Default: 64; a request for more is malformed to us. */
  readonly mostCertificates?: number
  /** How many signed answers are kept for the next who asks. Default: 20,000, some 40 MB. */
  readonly cachedAnswers?: number
}

/** What goes back to who asked. */
export type OcspAnswer = {
  /** DER of an OCSPResponse. */
  readonly der: Uint8Array
  /** For how long others may be given the same; undefined for answers to nonces, to several questions, and for failures. */
  readonly shared: Pick<SignedAnswer, "thisUpdate" | "nextUpdate"> | undefined
}

type Asked = {
  readonly certIds: readonly CertId[]
  readonly nonce: Uint8Array | undefined
  readonly issuer: Issuer
  readonly subjects: readonly SerialSubject[]
}

/** Default lifetime of answers. */
const LIFETIME_SECONDS = 60
const MOST_CERTIFICATES = 64
const CACHED_ANSWERS = 20_000

/**
 * Answers OCSP requests from the ledger.
 *
 * What is said is decided anew for each request, which costs microseconds; only the signature is kept, and given again while it
 * says the same. So a revocation replaces its answer with the first request after the replica saw it.
 */
export class OcspAnswerer {
  readonly #context: OcspContext
  readonly #book: ResponderBook
  readonly #cache: AnswerCache
  readonly #news = new LastingNews()
  readonly #asked = new Map<string, Asked>()

  constructor(context: OcspContext) {
    this.#context = context
    this.#book = new ResponderBook(context.issuers)
    this.#cache = new AnswerCache(context.cachedAnswers ?? CACHED_ANSWERS)
  }

  /** The answer to the DER of an OCSPRequest. Never throws: what went wrong becomes an OCSPResponseStatus. */
  async answer(request: Uint8Array): Promise<OcspAnswer> {
    try {
      return await this.#answer(request)
    } catch (error) {
      return this.fail(error)
    }
  }

  /** The answer that a failure becomes. */
  fail(error: unknown): OcspAnswer {
    const name = error instanceof Error ? error.name : "unknown"
    this.#context.report?.({ door: "ocsp", outcome: name, error })
    const listed = Object.hasOwn(OCSP_FAILURE, name) ? OCSP_FAILURE[name as keyof typeof OCSP_FAILURE] : undefined
    return { der: encodeOcspFailure(listed ?? OCSP_INTERNAL_ERROR), shared: undefined }
  }

  async #answer(request: Uint8Array): Promise<OcspAnswer> {
    const { certIds, nonce, issuer, subjects } = await this.#read(request)
    // From here to the decision nothing waits: one answer is one picture of the ledger.
    const fleet = freshFleet(this.#context)
    const responder = responderOf(issuer, fleet.head.keyById(issuer.keyId))
    const statuses = certIds.map(({ serial }, i) => {
      const status = serialStatus(subjects[i] as SerialSubject, issuer.keyId, fleet, this.#context.places)
      return this.#news.standing(`${issuer.keyId}:${Buffer.from(serial).toString("base64")}`, status, fleet)
    })
    const [only] = certIds
    if (nonce === undefined && certIds.length === 1 && only !== undefined) {
      return this.#shared(only, statuses[0] as PlaceStatus, responder, fleet)
    }
    const { der } = await this.#sign(certIds, statuses, responder, fleet, nonce)
    for (const { status } of statuses) this.#context.report?.({ door: "ocsp", outcome: status })
    return { der, shared: undefined }
  }

  /** What a request asks about. Of one for a place, that never changes, so it is read once. */
  async #read(request: Uint8Array): Promise<Asked> {
    const text = Buffer.from(request.buffer, request.byteOffset, request.length).toString("latin1")
    const known = this.#asked.get(text)
    if (known !== undefined) return known
    // A copy: what is kept are slices of it.
    const { certIds, nonce } = readOcspRequest(
      new Uint8Array(request),
      this.#context.mostCertificates ?? MOST_CERTIFICATES,
    )
    const issuer = this.#issuerOf(certIds)
    const subjects = await Promise.all(certIds.map(({ serial }) => findSerial(this.#context, issuer.keyId, serial)))
    const asked = { certIds, nonce, issuer, subjects }
    if (nonce === undefined && subjects.length === 1 && subjects[0]?.kind === "place") {
      if (this.#asked.size >= (this.#context.cachedAnswers ?? CACHED_ANSWERS)) this.#asked.clear()
      this.#asked.set(text, asked)
    }
    return asked
  }

  async #shared(certId: CertId, status: PlaceStatus, responder: Responder, fleet: FreshFleet): Promise<OcspAnswer> {
    const question = Buffer.from(certId.der).toString("base64")
    const says = `${status.status}:${status.reason}:${status.since}`
    const { now } = fleet
    let answer = this.#cache.get(question, says, now)
    if (answer === undefined) {
      answer = this.#sign([certId], [status], responder, fleet, undefined)
      const refreshAt = now + this.#lifetime / 2
      this.#cache.put(question, { says, refreshAt, answer })
      this.#context.report?.({ door: "ocsp", outcome: status.status })
    } else this.#context.report?.({ door: "ocsp", outcome: "cached" })
    const { der, thisUpdate, nextUpdate } = await answer
    return { der, shared: { thisUpdate, nextUpdate } }
  }

  async #sign(
    certIds: readonly CertId[],
    statuses: readonly PlaceStatus[],
    responder: Responder,
    { now, thisUpdate }: FreshFleet,
    nonce: Uint8Array | undefined,
  ): Promise<SignedAnswer> {
    const signing = await responder.at(now)
    const nextUpdate = Math.min(now + this.#lifetime, signing.certificate.notAfter)
    const responses = certIds.map(({ der }, i) => {
      return singleResponse(der, statuses[i] as PlaceStatus, { thisUpdate, nextUpdate })
    })
    const der = await encodeOcspResponse({ responder: signing, producedAt: now, responses, nonce })
    return { der, thisUpdate, nextUpdate }
  }

  /** One answer has one signer, who speaks for one issuer. */
  #issuerOf(certIds: readonly CertId[]): Issuer {
    const issuers = new Set(certIds.map((certId) => this.#book.find(certId)))
    const [issuer] = issuers
    if (issuer === undefined || issuers.size > 1) throw new OcspIssuerForeignError()
    return issuer
  }

  get #lifetime(): number {
    return this.#context.lifetimeSeconds ?? LIFETIME_SECONDS
  }
}

// An open issuer's key signs nothing but device certificates (DESIGN, "Records"): no responder's either.
function responderOf({ responder }: Issuer, key: LedgerKey | undefined): Responder {
  const open = key?.purpose === "openIssuer"
  if (responder === undefined || (open && responder.minted)) {
    throw new IssuerKeyAbsentError({ what: "OCSP answers", open })
  }
  return responder
}

function singleResponse(
  certId: Uint8Array,
  { status, reason, since }: PlaceStatus,
  times: Pick<SingleResponse, "thisUpdate" | "nextUpdate">,
): SingleResponse {
  return {
    certId,
    status: status === "onHold" ? "revoked" : status,
    // Where nobody can say since when, as of now.
    revokedAt: Math.min(since ?? times.thisUpdate, times.thisUpdate),
    reason,
    ...times,
  }
}
