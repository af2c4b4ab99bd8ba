// A web server before a node, as most nodes stand behind one: it compresses for clients that ask for it, and counts. In a thread of
// its own, so that its work is not taken for the client's.
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { parentPort, Worker, workerData } from "node:worker_threads"
import { gzipSync } from "node:zlib"

/** What went through since it was last asked. */
export type FrontCount = { trips: number; wire: number; raw: number }

/** Where a front listens, and how to ask and end it. */
export type Front = { readonly url: string; take(): Promise<FrontCount>; close(): Promise<unknown> }

/** Starts a front before the node at `upstream`. */
export async function compressingFront(upstream: string): Promise<Front> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { upstream } })
  const next = async <Value>(): Promise<Value> => {
    const [told] = (await once(worker, "message")) as [Value]
    return told
  }
  const url = await next<string>()
  return {
    url,
    take: () => {
      const told = next<FrontCount>()
      worker.postMessage("take", [])
      return told
    },
    close: () => worker.terminate(),
  }
}

const upstream = (workerData as { upstream?: string } | null)?.upstream
if (upstream !== undefined) serve(upstream)

function serve(node: string): void {
  const none: FrontCount = { trips: 0, wire: 0, raw: 0 }
  let count = { ...none }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const headers = { "content-type": "application/json", "accept-encoding": "identity" }
      fetch(node, { method: "POST", headers, body: Buffer.concat(chunks) })
        .then((answer) => answer.arrayBuffer())
        .then((body) => {
          const raw = Buffer.from(body)
          const compress = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "")
          const sent = compress ? gzipSync(raw) : raw
          count = { trips: count.trips + 1, wire: count.wire + sent.length, raw: count.raw + raw.length }
          const encoding = compress ? { "content-encoding": "gzip" } : {}
          response.writeHead(200, { "content-type": "application/json", ...encoding }).end(sent)
          return null
        })
        .catch(() => response.destroy())
    })
  })
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    parentPort?.postMessage(`http://127.0.0.1:${port}`, [])
  })
  parentPort?.on("message", () => {
    parentPort?.postMessage(count, [])
    count = { ...none }
  })
}
