import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client"

/** Numbers for whoever watches over the gateway. Every part adds its own to `registry`. */
export class Metrics {
  readonly registry = new Registry()
  /** Requests that were answered, by route, method and status. */
  readonly requests: Counter<"route" | "method" | "status">
  /** Seconds from a request's first line to the end of its answer, by route. */
  readonly seconds: Histogram<"route">
  /** Requests that no route saw, by cause. */
  readonly refused: Counter<"why">
  readonly inFlight: Gauge
  readonly connections: Gauge<"listener">

  constructor() {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    this.requests = new Counter({
      name: "fleetroot_http_requests_total",
      help: "Requests that were answered.",
      labelNames: ["route", "method", "status"],
      registers,
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
    this.inFlight = new Gauge({
      name: "fleetroot_http_in_flight",
      help: "Requests that are being answered.",
      registers,
    })
    this.connections = new Gauge({
      name: "fleetroot_http_connections",
      help: "Open connections.",
      labelNames: ["listener"],
      registers,
    })
  }
}
