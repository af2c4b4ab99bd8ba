import type { IncomingMessage } from "node:http"
import { channelBindingOf } from "./channelBinding.ts"
import { clientCertificateOf } from "./clientCertificate.ts"
import type { HttpRequest } from "./route.ts"

export type AskedParts = Pick<HttpRequest, "method" | "body" | "secure" | "remoteAddress"> & {
  readonly target: { readonly path: string; readonly query: string }
}

/** A request as its route sees it. What few routes look at is made when it is looked at. */
export class AskedRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
  readonly secure: boolean
  readonly remoteAddress: string
  /** At once: of a connection that has ended nobody can tell it any more. */
  readonly clientCertificate: Uint8Array | undefined
  readonly channelBinding = (): Uint8Array | undefined => channelBindingOf(this.#message.socket)
  readonly #message: IncomingMessage
  readonly #queryText: string
  #query: URLSearchParams | undefined
  #headers: HttpRequest["headers"] | undefined
  #controller: AbortController | undefined

  constructor(message: IncomingMessage, { method, target, body, secure, remoteAddress }: AskedParts) {
    this.#message = message
    this.method = method
    this.path = target.path
    this.#queryText = target.query
    this.body = body
    this.secure = secure
    this.remoteAddress = remoteAddress
    this.clientCertificate = clientCertificateOf(message.socket)
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.#queryText))
  }

  get headers(): HttpRequest["headers"] {
    return (this.#headers ??= headersOf(this.#message))
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Whoever holds this tells the route to give up. */
  get controller(): AbortController {
    return (this.#controller ??= new AbortController())
  }
}

function headersOf({ headers }: IncomingMessage): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = Object.create(null) as Record<string, string | undefined>
  for (const [name, value] of Object.entries(headers)) flat[name] = Array.isArray(value) ? value.join(", ") : value
  return flat
}
