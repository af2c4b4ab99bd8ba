import type { Metrics } from "./metrics.ts"
import type { HttpAnswer, Route } from "./route.ts"

/** Whether the gateway can answer from the ledger, and why not. */
export type Readiness = { readonly ready: boolean; readonly why: readonly string[] } & Readonly<Record<string, unknown>>

/** What a watcher asks: does the process live, can it answer, how is it doing. */
export function healthRoutes({
  metrics,
  readiness,
}: {
  readonly metrics: Metrics
  readonly readiness: () => Readiness
}): Route[] {
  const shared = { methods: ["GET"], maxBodyBytes: 0 }
  return [
    {
      ...shared,
      name: "healthz",
      path: "/healthz",
      unlimited: true,
      handle: async () => json(200, { status: "alive" }),
    },
    {
      ...shared,
      name: "readyz",
      path: "/readyz",
      unlimited: true,
      handle: async () => {
        const answer = readiness()
        return json(answer.ready ? 200 : 503, answer)
      },
    },
    {
      ...shared,
      name: "metrics",
      path: "/metrics",
      handle: async () => ({
        status: 200,
        headers: { "Content-Type": metrics.registry.contentType, "Cache-Control": "no-store" },
        body: new TextEncoder().encode(await metrics.registry.metrics()),
      }),
    },
  ]
}

function json(status: number, value: unknown): HttpAnswer {
  return {
    status,
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
    body: new TextEncoder().encode(`${JSON.stringify(value)}\n`),
  }
}
