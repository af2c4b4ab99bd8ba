import { createHash } from "node:crypto"
import { OcspRequestMalformedError } from "../errors/revocation.ts"
import { httpDate, matchesEntity } from "../http/caching.ts"
import type { HttpAnswer, HttpRequest, Route } from "../http/route.ts"
import { unixSeconds } from "../issuers/freshFleet.ts"
import { OcspAnswerer } from "./answer.ts"
import type { OcspAnswer, OcspContext } from "./answer.ts"

export { OcspAnswerer } from "./answer.ts"
export type { OcspAnswer, OcspContext } from "./answer.ts"
export { StaticAnswers } from "./staticAnswers.ts"
export type { StaticAnswersOptions, StaticAnswersReport } from "./staticAnswers.ts"

/** The strict reader's own limit. */
const MOST_BYTES = 65_536
const RESPONSE_TYPE = "application/ocsp-response"

/**
 * The OCSP responder: POST at `/ocsp`, GET at `/ocsp/{base64 of the request}`. RFC 6960, appendix A, and RFC 9919, 5 and 6.
 *
 * An OCSP failure is an HTTP success, as clients expect.
 */
export function ocspRoutes(context: OcspContext): Route[] {
  const answerer = new OcspAnswerer(context)
  const clock = (): number => unixSeconds(context.now?.() ?? new Date())

  const post = ({ body }: HttpRequest): HttpAnswer | Promise<HttpAnswer> => {
    const answer = answerer.answer(body)
    return answer instanceof Promise ? answer.then(posted) : posted(answer)
  }
  const get = ({ path, headers }: HttpRequest): HttpAnswer | Promise<HttpAnswer> => {
    const request = requestInPath(path)
    const answer =
      request === undefined
        ? answerer.fail(new OcspRequestMalformedError({ reason: "the path holds no base64" }))
        : answerer.answer(request)
    const send = (given: OcspAnswer): HttpAnswer => cacheable(given, headers["if-none-match"], clock())
    return answer instanceof Promise ? answer.then(send) : send(answer)
  }
  const handle = (request: HttpRequest): HttpAnswer | Promise<HttpAnswer> =>
    (request.method === "POST" ? post : get)(request)
  const methods = ["GET", "HEAD", "POST"]
  return [
    { name: "ocsp", methods: ["POST"], path: "/ocsp", maxBodyBytes: MOST_BYTES, handle: post },
    { name: "ocsp", methods, path: "/ocsp/", maxBodyBytes: MOST_BYTES, handle },
  ]
}

/**
 * The DER in `/ocsp/{base64}`. Clients write the three signs outside letters and digits as they are or percent-encoded, and some
 * put one slash too many behind the address. Padding may be left off.
 */
export function requestInPath(path: string): Uint8Array | undefined {
  let text: string
  try {
    text = decodeURIComponent(path.slice("/ocsp/".length)).replace(/^\/+/, "")
  } catch {
    return undefined
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, "base64"))
}

function posted({ der }: OcspAnswer): HttpAnswer {
  return { status: 200, headers: { "Content-Type": RESPONSE_TYPE, "Cache-Control": "no-store" }, body: der }
}

// RFC 9919, 6.2: for shared caches, never longer than the answer itself.
function cacheable({ der, shared }: OcspAnswer, ifNoneMatch: string | undefined, now: number): HttpAnswer {
  const type = { "Content-Type": RESPONSE_TYPE }
  if (shared === undefined) return { status: 200, headers: { ...type, "Cache-Control": "no-store" }, body: der }
  const entityTag = entityTagOf(der)
  const headers = {
    ...type,
    "Last-Modified": httpDate(shared.thisUpdate),
    Expires: httpDate(shared.nextUpdate),
    ETag: entityTag,
    "Cache-Control": `max-age=${Math.max(0, shared.nextUpdate - now)}, public, no-transform, must-revalidate`,
  }
  if (matchesEntity(ifNoneMatch, entityTag)) return { status: 304, headers, body: new Uint8Array(0) }
  return { status: 200, headers, body: der }
}

/** Answers are given many times: the tag of each is made once. */
const entityTags = new WeakMap<Uint8Array, string>()

function entityTagOf(der: Uint8Array): string {
  const known = entityTags.get(der)
  if (known !== undefined) return known
  const tag = `"${createHash("sha256").update(der).digest("hex")}"`
  entityTags.set(der, tag)
  return tag
}
