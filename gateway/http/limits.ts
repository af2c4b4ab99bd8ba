/** What a listener takes at most. Bounds, all of them: whatever comes, memory stays below what they add up to. */
export type HttpLimits = {
  /** Open connections, of each listener. */
  readonly connections: number
  /** Requests that are being answered. More get 503. */
  readonly inFlight: number
  /** Octets of request bodies in memory. More get 503. */
  readonly bodyBytes: number
  /** Octets of a request's first line and headers. */
  readonly headerBytes: number
  /** Seconds for the first line and the headers; for a TLS handshake too. */
  readonly headersSeconds: number
  /** Seconds for the whole request. */
  readonly requestSeconds: number
  /** Seconds for an answer; then 503. */
  readonly answerSeconds: number
  /** Seconds that an idle connection is kept. */
  readonly keepAliveSeconds: number
  readonly requestsPerConnection: number
  /** Requests that one client may make each second in the long run. 0: any number. */
  readonly clientRequestsPerSecond: number
  /** Requests that one client may make at once after it was quiet. */
  readonly clientBurst: number
}

export const DEFAULT_LIMITS: HttpLimits = {
  connections: 16_384,
  inFlight: 8_192,
  bodyBytes: 64 * 1024 * 1024,
  headerBytes: 32 * 1024,
  headersSeconds: 10,
  requestSeconds: 30,
  answerSeconds: 120,
  keepAliveSeconds: 20,
  requestsPerConnection: 100_000,
  clientRequestsPerSecond: 1_000,
  clientBurst: 2_000,
}
