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
import { assertCurrent, signatureEnd } from "./signatureEnd.ts"

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
  readonly questions: readonly Question[]
  readonly nonce: Uint8Array | undefined
  readonly issuer: Issuer
}

/** Who speaks for the certificates that are asked about, and by whose signature. */
type Signing = { readonly issuer: Issuer; readonly responder: Responder }

/** A certificate that is asked about. */
type Question = {
  readonly certId: CertId
  readonly subject: SerialSubject
  /** What the certificate is called among those that bad news was told of. */
  readonly news: string
  /** What its answer is kept by. */
  readonly name: string
}

/** Default lifetime of answers. */
const LIFETIME_SECONDS = 60
const MOST_CERTIFICATES = 64
const CACHED_ANSWERS = 20_000
/** Longest request that is kept for the next who sends the same; a question with hashes of 64 octets takes 200. */
const LONGEST_KEPT_REQUEST = 512

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
  answer(request: Uint8Array): OcspAnswer | Promise<OcspAnswer> {
    try {
      const known = request.length > LONGEST_KEPT_REQUEST ? undefined : this.#asked.get(textOf(request))
      const answer =
        known === undefined ? this.#read(request).then((asked) => this.#decide(asked)) : this.#decide(known)
      return answer instanceof Promise ? answer.catch((error: unknown) => this.fail(error)) : answer
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

  /** What the ledger says now. Nothing waits before that is decided: one answer is one picture of the ledger. */
  #decide({ questions, nonce, issuer }: Asked): OcspAnswer | Promise<OcspAnswer> {
    const fleet = freshFleet(this.#context)
    const signing = { issuer, responder: responderOf(issuer, fleet.head.keyById(issuer.keyId)) }
    const statuses = questions.map(({ subject, news }) => {
      return this.#news.standing(news, serialStatus(subject, issuer.keyId, fleet, this.#context.places), fleet)
    })
    const [only] = questions
    if (nonce === undefined && questions.length === 1 && only !== undefined) {
      return this.#shared(only, statuses[0] as PlaceStatus, signing, fleet)
    }
    const certIds = questions.map(({ certId }) => certId)
    return this.#alone(this.#sign(certIds, statuses, signing, fleet, nonce), statuses)
  }

  async #alone(signing: Promise<SignedAnswer>, statuses: readonly PlaceStatus[]): Promise<OcspAnswer> {
    const { der } = await signing
    for (const { status } of statuses) this.#context.report?.({ door: "ocsp", outcome: status })
    return { der, shared: undefined }
  }

  /** What a request asks about. Of one for a place, that never changes, so it is read once. */
  async #read(request: Uint8Array): Promise<Asked> {
    // A copy: what is kept are slices of it.
    const { certIds, nonce } = readOcspRequest(
      new Uint8Array(request),
      this.#context.mostCertificates ?? MOST_CERTIFICATES,
    )
    const issuer = this.#issuerOf(certIds)
    const questions = await Promise.all(certIds.map((certId) => this.#question(issuer, certId)))
    const asked = { questions, nonce, issuer }
    const isPlace = nonce === undefined && questions.length === 1 && questions[0]?.subject.kind === "place"
    if (isPlace && request.length <= LONGEST_KEPT_REQUEST) {
      if (this.#asked.size >= (this.#context.cachedAnswers ?? CACHED_ANSWERS)) this.#asked.clear()
      this.#asked.set(textOf(request), asked)
    }
    return asked
  }

  async #question({ keyId }: Issuer, certId: CertId): Promise<Question> {
    const subject = await findSerial(this.#context, keyId, certId.serial)
    const news = `${keyId}:${Buffer.from(certId.serial).toString("base64")}`
    return { certId, subject, news, name: Buffer.from(certId.der).toString("base64") }
  }

  #shared(
    { certId, name }: Question,
    status: PlaceStatus,
    signing: Signing,
    fleet: FreshFleet,
  ): OcspAnswer | Promise<OcspAnswer> {
    const says = `${status.status}:${status.reason}:${status.since}`
    const { now } = fleet
    const { responder } = signing
    let answer = this.#cache.get(name, { says, responder, now })
    if (answer === undefined) {
      answer = this.#sign([certId], [status], signing, fleet, undefined)
      const refreshAt = now + this.#lifetime / 2
      this.#cache.put(name, { says, responder, refreshAt, answer })
      this.#context.report?.({ door: "ocsp", outcome: status.status })
    } else this.#context.report?.({ door: "ocsp", outcome: "cached" })
    return answer instanceof Promise ? answer.then(sharedAnswer) : sharedAnswer(answer)
  }

  async #sign(
    certIds: readonly CertId[],
    statuses: readonly PlaceStatus[],
    { issuer, responder }: Signing,
    { now, thisUpdate }: FreshFleet,
    nonce: Uint8Array | undefined,
  ): Promise<SignedAnswer> {
    assertCurrent(issuer.certificate, "its issuer", now)
    const signing = await responder.at(now)
    assertCurrent(signing.certificate, "it", now)
    const nextUpdate = signatureEnd(now, this.#lifetime, [signing.certificate, issuer.certificate])
    const responses = certIds.map(({ der }, i) => {
      return singleResponse(der, statuses[i] as PlaceStatus, { thisUpdate, nextUpdate })
    })
    const der = await encodeOcspResponse({ responder: signing, producedAt: now, responses, nonce })
    return { der, producedAt: now, thisUpdate, nextUpdate }
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

function sharedAnswer({ der, thisUpdate, nextUpdate }: SignedAnswer): OcspAnswer {
  return { der, shared: { thisUpdate, nextUpdate } }
}

function textOf(request: Uint8Array): string {
  return Buffer.from(request.buffer, request.byteOffset, request.length).toString("latin1")
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
