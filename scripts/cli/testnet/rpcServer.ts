import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** Whoever answers JSON-RPC calls: Hardhat's in-process provider. */
export type RpcProvider = { request(call: { method: string; params?: unknown[] }): Promise<unknown> }

export type RpcServer = { readonly url: string; close(): Promise<void> }

type Call = { id?: unknown; method?: unknown; params?: unknown }

const MAX_BYTES = 8 * 1024 * 1024
const LOCAL_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/

/**
 * Serves a provider over HTTP on this machine only. Pages that this machine serves may use it; pages of other sites may not: calls
 * must be JSON, which a browser does not send across sites without asking, and asking is answered for local pages only. A foreign
 * name that was pointed at this machine is refused by its Host.
 */
export async function serveRpc(provider: RpcProvider, port: number): Promise<RpcServer> {
  const server = createServer((request, response) => {
    handle(provider, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined)
    })
  })
  server.requestTimeout = 30_000
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

async function handle(provider: RpcProvider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!LOCAL_HOST.test(request.headers.host ?? "")) return send(response, 403)
  allowLocalPages(request, response)
  if (request.method === "OPTIONS") return send(response, 204)
  if (request.method !== "POST") return send(response, 405)
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) return send(response, 415)
  const body = await read(request)
  if (body === undefined) {
    // The rest of it is not read.
    response.setHeader("connection", "close")
    return send(response, 413)
  }
  let calls: unknown
  try {
    calls = JSON.parse(body)
  } catch {
    return send(response, 200, failure(null, -32_700, "The call is not JSON."))
  }
  const answer = Array.isArray(calls)
    ? await Promise.all(calls.map((call: unknown) => answerCall(provider, call)))
    : await answerCall(provider, calls)
  send(response, 200, answer)
}

function allowLocalPages({ headers: { origin = "" } }: IncomingMessage, response: ServerResponse): void {
  response.setHeader("vary", "origin")
  if (!URL.canParse(origin) || !LOCAL_HOST.test(new URL(origin).host)) return
  response.setHeader("access-control-allow-origin", origin)
  response.setHeader("access-control-allow-headers", "content-type")
  response.setHeader("access-control-allow-methods", "POST")
}

async function read(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > MAX_BYTES) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString("utf8")
}

async function answerCall(provider: RpcProvider, call: unknown): Promise<object> {
  const { id = null, method, params = [] } = (typeof call === "object" && call !== null ? call : {}) as Call
  if (typeof method !== "string" || !Array.isArray(params)) return failure(id, -32_600, "This is not a call.")
  try {
    return { jsonrpc: "2.0", id, result: await provider.request({ method, params: params as unknown[] }) }
  } catch (error) {
    const { code, message, data } = error as { code?: unknown; message?: unknown; data?: unknown }
    return failure(id, typeof code === "number" ? code : -32_603, String(message), data)
  }
}

function failure(id: unknown, code: number, message: string, data?: unknown): object {
  return { jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } }
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, body === undefined ? {} : { "content-type": "application/json" })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
