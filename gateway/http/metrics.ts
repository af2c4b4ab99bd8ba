import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client"

type Answered = { readonly labels: Readonly<Record<"route" | "method" | "status", string | number>>; count: number }

/** Numbers for whoever watches over the gateway. Every part adds its own to `registry`. */
export class Metrics {
  readonly registry = new Registry()
  /** Requests that were answered, by route, method and status. */
  readonly requests: Counter<"route" | "method" | "status">
  /** Seconds from a request's first line to the end of its answer, by route. */
  readonly seconds: Histogram<"route">
  /** Requests that no route saw, by cause. */
  readonly refused: Counter<"why">
  /** Requests that are being answered, as far as they had to wait for something. */
  inFlight = 0
  readonly #answered = new Map<string, Answered>()
  readonly connections: Gauge<"listener">

  constructor() {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    this.requests = new Counter({
      name: "fleetroot_http_requests_total",
      help: "Requests that were answered.",
      labelNames: ["route", "method", "status"],
      registers,
      collect: () => {
        this.#settle()
      },
    })
    this.seconds = new Histogram({
      name: "fleetroot_http_request_seconds",
      help: "Time from the first line of a request to the end of its answer.",
      labelNames: ["route"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    })
    this.refused = new Counter({
      name: "fleetroot_http_refused_total",
      help: "Requests that were refused before any route saw them.",
      labelNames: ["why"],
      registers,
    })
    const inFlight = new Gauge({
      name: "fleetroot_http_in_flight",
      help: "Requests that are being answered.",
      registers,
      collect: () => {
        inFlight.set(this.inFlight)
      },
    })
    this.connections = new Gauge({
      name: "fleetroot_http_connections",
      help: "Open connections.",
      labelNames: ["listener"],
      registers,
    })
  }

  /** One more request was answered. Numbers are handed to the registry when somebody reads them, which is seldom. */
  count(route: string, method: string, status: number, seconds: number): void {
    const name = `${status} ${method} ${route}`
    const known = this.#answered.get(name)
    if (known === undefined) this.#answered.set(name, { labels: { route, method, status }, count: 1 })
    else known.count += 1
    this.seconds.observe({ route }, seconds)
  }

  #settle(): void {
    for (const answered of this.#answered.values()) {
      this.requests.inc(answered.labels, answered.count)
      answered.count = 0
    }
  }
}
