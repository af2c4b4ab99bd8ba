import { EnrolmentRateError } from "../errors/enrolment.ts"
import { FleetrootError } from "../../client/index.ts"
import { problemAnswer } from "../http/problem.ts"
import type { HttpAnswer, HttpRequest, Route } from "../http/route.ts"
import { base64Answer, certificateAnswer, certsOnly, csrAttributes, keyAnswer } from "./codec.ts"
import { DEFAULTS } from "./context.ts"
import type { EstContext, EstLabel } from "./context.ts"
import { Enroller } from "./enroller.ts"
import type { EnrolOperation } from "./enroller.ts"
import { EST_FAILURE, FAILURE_WORDS } from "./failures.ts"
import { ReceiptMaker } from "./receiptMaker.ts"

export type { EstContext, EstEvent, EstLabel } from "./context.ts"
export { makeToken } from "./tokens.ts"
export { readSharedSecrets } from "./sharedSecrets.ts"
export { receiptRoutes } from "./receipts.ts"
export type { ReceiptContext } from "./receipts.ts"

/** The strict reader's own limit, in base64 with line ends. */
const MOST_BYTES = 96 * 1024
const ROOT = "/.well-known/est/"
const EMPTY = new Uint8Array(0)

/**
 * Enrolment over Secure Transport, RFC 7030 with RFC 8951, for every label: `cacerts`, `csrattrs`, `simpleenroll`, `simplereenroll`
 * and `serverkeygen`. Over TLS only.
 *
 * @throws EstLabelUnfitError for a label that cannot be served.
 */
export function estRoutes(context: EstContext): Route[] {
  const receipts = new ReceiptMaker(context.store, context.replica.deployment)
  return context.labels.flatMap((label) => routesOf(context, label, new Enroller(context, label, receipts)))
}

function routesOf(context: EstContext, label: EstLabel, enroller: Enroller): Route[] {
  const folder = label.label === "" ? ROOT : `${ROOT}${label.label}/`
  const told = (operation: string, answer: HttpAnswer, more: { why?: string; error?: unknown } = {}): HttpAnswer => {
    context.report?.({ operation, label: label.label, status: answer.status, ...more })
    return answer
  }
  const fixed = (operation: string, answer: HttpAnswer): Route => ({
    name: `est-${operation}`,
    methods: ["GET"],
    path: `${folder}${operation}`,
    maxBodyBytes: 0,
    secureOnly: true,
    handle: async () => told(operation, answer),
  })
  const enrol = (operation: EnrolOperation): Route => ({
    name: `est-${operation}`,
    methods: ["POST"],
    path: `${folder}${operation}`,
    maxBodyBytes: MOST_BYTES,
    secureOnly: true,
    handle: async (request) => {
      try {
        return told(operation, await enrolAnswer(context, enroller, operation, request))
      } catch (error) {
        if (!(error instanceof FleetrootError)) throw error
        return told(operation, failureAnswer(error, context), { why: error.code, error })
      }
    },
  })
  const certificates = [label.certificate.der, ...(label.chain ?? [])]
  const routes = [
    fixed("cacerts", base64Answer("application/pkcs7-mime", certsOnly(certificates))),
    fixed("csrattrs", base64Answer("application/csrattrs", csrAttributes(label.channelLinking === "required"))),
    enrol("simpleenroll"),
    enrol("simplereenroll"),
  ]
  return label.serverKeys === false ? routes : [...routes, enrol("serverkeygen")]
}

async function enrolAnswer(
  context: EstContext,
  enroller: Enroller,
  operation: EnrolOperation,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const answer = await enroller.answer(operation, request)
  switch (answer.state) {
    case "unauthorized":
      // With a body some clients do not ask their user. RFC 7030, 3.2.3.
      return {
        status: 401,
        headers: { "WWW-Authenticate": 'Basic realm="estrealm", charset="UTF-8"', "Cache-Control": "no-store" },
        body: EMPTY,
      }
    case "pending":
      return {
        status: 202,
        headers: { "Retry-After": retryAfter(context), "Cache-Control": "no-store" },
        body: EMPTY,
      }
    case "issued": {
      const { der, key } = answer
      return key === undefined ? certificateAnswer(der) : keyAnswer(key, der)
    }
  }
}

function failureAnswer(error: FleetrootError, context: EstContext): HttpAnswer {
  const status = (EST_FAILURE as Readonly<Record<string, number>>)[error.name] ?? 503
  if (status === 503) {
    const title = FAILURE_WORDS[error.name] ?? "The gateway cannot enrol at the moment"
    return problemAnswer({ status, title, more: { code: error.code } }, { "Retry-After": retryAfter(context) })
  }
  const headers = error instanceof EnrolmentRateError ? { "Retry-After": String(error.retryAfterSeconds) } : {}
  return problemAnswer({ status, title: error.message, more: { code: error.code } }, headers)
}

function retryAfter({ retryAfterSeconds = DEFAULTS.retryAfterSeconds }: EstContext): string {
  return String(retryAfterSeconds)
}
