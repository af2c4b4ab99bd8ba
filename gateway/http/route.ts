/** A request as a protocol sees it: the body is whole and within the route's limit. */
export type HttpRequest = {
  readonly method: string
  /** As it was sent: percent-encoding kept, query cut off. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /**
   * DER of the certificate that the client proved in this TLS connection. Its chain was not judged: whether it counts is looked
   * up on the ledger for each connection. undefined without one, also on a resumed session that names none.
   */
  readonly clientCertificate: Uint8Array | undefined
  /** What names the TLS connection to both of its ends; see `channelBindingOf`. Absent or undefined: there is nothing. */
  readonly channelBinding?: () => Uint8Array | undefined
  /** Whether it came over TLS. */
  readonly secure: boolean
  readonly remoteAddress: string
  /** Aborted when the client went away, the gateway stops, or the answer took too long. */
  readonly signal: AbortSignal
}

export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** An empty one is sent with Content-Length: 0. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>
}

/** One address of the gateway. */
export type Route = {
  /** Label of its metrics and log lines. */
  readonly name: string
  readonly methods: readonly string[]
  /** An exact path, or a prefix when it ends in "/". The longest match wins. */
  readonly path: string
  readonly maxBodyBytes: number
  /** Answered on the TLS listener only. */
  readonly secureOnly?: boolean
  /** Answered whatever the load, to any client: for those who watch over the gateway. */
  readonly unlimited?: boolean
  /** The answer, or the promise of one: what is at hand costs less without. */
  handle(request: HttpRequest): HttpAnswer | Promise<HttpAnswer>
}
