import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Server as TlsServer } from "node:https"
import type { Logger } from "pino"
import { AskedRequest } from "./askedRequest.ts"
import { clientNetwork } from "./clientAddress.ts"
import type { ClientAddresses } from "./clientAddress.ts"
import { ClientRate } from "./clientRate.ts"
import type { HttpLimits } from "./limits.ts"
import type { Metrics } from "./metrics.ts"
import { problemAnswer } from "./problem.ts"
import { BodyBudget, readBody } from "./readBody.ts"
import { Router } from "./router.ts"
import type { HttpAnswer, Route } from "./route.ts"
import { refuseEarly, sendAnswer, sendWhole } from "./sendAnswer.ts"

export type RequestHandlerOptions = {
  readonly limits: HttpLimits
  readonly metrics: Metrics
  readonly log: Logger
  readonly addresses: ClientAddresses
}

/** A problem that the listener itself answers with. */
type Refusal = HttpAnswer & { readonly body: Uint8Array }

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])

/** Takes requests off the wire, within limits, and hands them to their routes. */
export class RequestHandler {
  #router: Router | undefined
  readonly #options: RequestHandlerOptions
  readonly #rate: ClientRate
  readonly #budget: BodyBudget
  readonly #running = new Set<AbortController>()
  #stopping = false

  constructor(options: RequestHandlerOptions) {
    const { limits } = options
    this.#options = options
    this.#rate = new ClientRate({ perSecond: limits.clientRequestsPerSecond, burst: limits.clientBurst })
    this.#budget = new BodyBudget(limits.bodyBytes)
  }

  /** From now on these are answered. @throws RouteConflictError */
  serve(routes: readonly Route[]): void {
    this.#router = new Router(routes)
  }

  attach(server: Server | TlsServer, secure: boolean): void {
    const take = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
      this.#handle(request, response, secure, expectsContinue).catch((error: unknown) => {
        this.#options.log.error({ err: error }, "an answer could not be sent")
        response.destroy()
      })
    }
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      take(request, response, false)
    })
    // A body that is too large is refused before it is sent. RFC 9110, 10.1.1.
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      take(request, response, true)
    })
  }

  /** From now on each answer ends its connection. */
  stopping(): void {
    this.#stopping = true
  }

  /** Tells every route that is at work to give up. */
  abort(): void {
    for (const controller of this.#running) controller.abort(new Error("The gateway stops."))
  }

  async #handle(
    request: IncomingMessage,
    response: ServerResponse,
    secure: boolean,
    expectsContinue: boolean,
  ): Promise<void> {
    const startedAt = performance.now()
    const { limits, metrics, log, addresses } = this.#options
    const remoteAddress = addresses.of(request.socket.remoteAddress, headerOf(request, "x-forwarded-for"))
    const method = request.method ?? "GET"
    const target = readTarget(request.url ?? "")
    if (this.#router === undefined) return this.#refuse(request, response, "busy", BUSY)
    const found = target === undefined ? undefined : this.#router.find(method, target.path)

    // 1. Whose turn is it?
    if (found?.kind !== "route" || found.route.unlimited !== true) {
      const waitSeconds = this.#rate.take(clientNetwork(remoteAddress))
      if (waitSeconds > 0) return this.#refuse(request, response, "clientRate", tooMany(waitSeconds))
    }
    // 2. Is there such an address?
    if (target === undefined) return this.#refuse(request, response, "malformed", BAD_TARGET)
    if (found?.kind === "method") return this.#refuse(request, response, "method", wrongMethod(found.allowed))
    if (found?.kind !== "route") return this.#refuse(request, response, "notFound", NOT_FOUND)
    const { route } = found
    if (route.secureOnly === true && !secure) return this.#refuse(request, response, "insecure", TLS_ONLY)

    // 3. Its body, within limits.
    if (expectsContinue && Number(request.headers["content-length"] ?? 0) <= route.maxBodyBytes) {
      response.writeContinue()
    }
    const read = await readBody(request, route.maxBodyBytes, this.#budget)
    if (read.kind === "cut") {
      metrics.refused.inc({ why: "cut" })
      return
    }
    if (read.kind === "tooLarge") return this.#refuse(request, response, "tooLarge", tooLarge(route.maxBodyBytes))
    if (read.kind === "noRoom") return this.#refuse(request, response, "busy", BUSY)

    // 4. Its answer.
    try {
      if (this.#options.metrics.inFlight >= limits.inFlight && route.unlimited !== true) {
        return await this.#refuse(request, response, "busy", BUSY)
      }
      const asked = new AskedRequest(request, {
        method: method === "HEAD" && !route.methods.includes("HEAD") ? "GET" : method,
        target,
        body: read.body,
        secure,
        remoteAddress,
      })
      const answered = this.#answer(route, asked, response)
      const { status, octets } = answered instanceof Promise ? await answered : answered
      const seconds = (performance.now() - startedAt) / 1000
      metrics.count(route.name, METHODS.has(method) ? method : "other", status, seconds)
      const failed = status >= 500 && route.unlimited !== true
      if (!failed && !log.isLevelEnabled("debug")) return
      // Neither path nor body: they name certificates, and thereby who asks about whom.
      const line = { route: route.name, method, status, octets, ms: Math.round(seconds * 1000), remoteAddress, secure }
      if (failed) log.warn(line, "request")
      else log.debug(line, "request")
    } finally {
      this.#budget.give(read.body.length)
    }
  }

  /**
   * What is at hand needs no deadline. It is sent when all requests that have come so far were read: each piece that is sent may wake
   * its reader, which costs more than the answer, and readers that are awake need no waking.
   */
  #answer(route: Route, asked: AskedRequest, response: ServerResponse): Sent | Promise<Sent> {
    let answer: HttpAnswer | Promise<HttpAnswer>
    try {
      answer = route.handle(asked)
    } catch (error) {
      answer = failing(error)
    }
    if (answer instanceof Promise || !(answer.body instanceof Uint8Array))
      return this.#wait(route, asked, response, answer)
    const whole = { ...answer, body: answer.body }
    setImmediate(() => {
      this.#send(response, whole)
    })
    return { status: answer.status, octets: whole.body.length }
  }

  #send(response: ServerResponse, answer: HttpAnswer & { readonly body: Uint8Array }): void {
    try {
      this.#endIfStopping(response)
      sendWhole(response, answer)
    } catch (error) {
      this.#options.log.error({ err: error }, "an answer could not be sent")
      response.destroy()
    }
  }

  async #wait(
    route: Route,
    asked: AskedRequest,
    response: ServerResponse,
    pending: HttpAnswer | Promise<HttpAnswer>,
  ): Promise<Sent> {
    const { limits, log, metrics } = this.#options
    const { controller } = asked
    const onClose = (): void => {
      if (!response.writableFinished) controller.abort(new Error("The client went away."))
    }
    const timer = setTimeout(() => {
      controller.abort(new Error("The answer took too long."))
    }, limits.answerSeconds * 1000)
    this.#running.add(controller)
    metrics.inFlight += 1
    response.once("close", onClose)
    try {
      const answer = await withDeadline(Promise.resolve(pending), controller.signal)
      this.#endIfStopping(response)
      return { status: answer.status, octets: await sendAnswer(response, answer) }
    } catch (error) {
      const gone = response.destroyed || response.headersSent
      const gaveUp = controller.signal.aborted && isAbort(error, controller.signal)
      if (!gaveUp) log.error({ err: error, route: route.name }, "a request failed")
      if (gone) {
        response.destroy()
        return { status: gaveUp ? 499 : 500, octets: 0 }
      }
      const answer = gaveUp ? TOO_SLOW : FAILED
      return { status: answer.status, octets: await sendAnswer(response, answer) }
    } finally {
      clearTimeout(timer)
      response.off("close", onClose)
      metrics.inFlight -= 1
      this.#running.delete(controller)
    }
  }

  async #refuse(request: IncomingMessage, response: ServerResponse, why: string, answer: Refusal): Promise<void> {
    this.#options.metrics.refused.inc({ why })
    if (request.complete || !hasBody(request)) {
      this.#endIfStopping(response)
      await sendAnswer(response, answer)
      return
    }
    await refuseEarly(request, response, answer)
  }

  #endIfStopping(response: ServerResponse): void {
    if (this.#stopping) response.setHeader("Connection", "close")
  }
}

/** What was sent. */
type Sent = { readonly status: number; readonly octets: number }

async function failing(error: unknown): Promise<never> {
  throw error
}

/** Path and query as they were sent; undefined for what is no path. RFC 9112, 3.2. */
export function readTarget(target: string): { path: string; query: string } | undefined {
  const absolute = /^https?:\/\/[^/?#]*(.*)$/is.exec(target)
  const origin = absolute === null ? target : absolute[1]?.startsWith("/") === true ? absolute[1] : `/${absolute[1]}`
  if (!origin.startsWith("/")) return undefined
  const cut = origin.indexOf("?")
  return cut === -1 ? { path: origin, query: "" } : { path: origin.slice(0, cut), query: origin.slice(cut + 1) }
}

/** A route that does not heed its signal is not waited for. */
async function withDeadline(answer: Promise<HttpAnswer>, signal: AbortSignal): Promise<HttpAnswer> {
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener("abort", onAbort, { once: true })
  })
  try {
    return await Promise.race([answer, aborted])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort)
    answer.catch(() => undefined)
  }
}

/** Whether a failure is only the end that the signal asked for. */
function isAbort(error: unknown, { reason }: AbortSignal): boolean {
  if (error === reason) return true
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === "AbortError" || code === "ERR_STREAM_PREMATURE_CLOSE"
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(",") : value
}

const problem = problemAnswer as (...given: Parameters<typeof problemAnswer>) => Refusal

const BAD_TARGET = problem({ status: 400, title: "The address is no path" })
const NOT_FOUND = problem({ status: 404, title: "Nothing is at this address" })
const TLS_ONLY = problem({ status: 403, title: "This address is answered over TLS only" })
const BUSY = problem({ status: 503, title: "Too many requests at once" }, { "Retry-After": "1" })
const TOO_SLOW = problem({ status: 503, title: "The answer took too long" }, { "Retry-After": "5" })
const FAILED = problem({ status: 500, title: "The gateway failed; its log says why" })

function tooMany(waitSeconds: number): Refusal {
  return problem({ status: 429, title: "This client asks too often" }, { "Retry-After": String(waitSeconds) })
}

function wrongMethod(allowed: readonly string[]): Refusal {
  const all = allowed.includes("GET") && !allowed.includes("HEAD") ? [...allowed, "HEAD"] : allowed
  return problem({ status: 405, title: "This address knows no such method" }, { Allow: all.join(", ") })
}

function tooLarge(maxBytes: number): Refusal {
  return problem({ status: 413, title: `A body may have ${maxBytes} octets here` })
}
