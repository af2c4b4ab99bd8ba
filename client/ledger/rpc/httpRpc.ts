import { FleetrootError } from "../../errors/base.ts"
import {
  EndpointStatusError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  ReplyMalformedError,
  ReplyTooLargeError,
  RpcRejectedError,
} from "../../errors/ledger.ts"
import { parseBoundedJson } from "./boundedJson.ts"
import { httpPost } from "./httpPost.ts"
import type { JsonRpc, RpcCall } from "./jsonRpc.ts"

export type HttpRpcOptions = {
  /** Time for a whole answer, in milliseconds. Default: 10,000. */
  timeoutMs?: number
  /** Most bytes read of one answer. Default: 32 MiB. */
  maxBytes?: number
  /** Most calls in one round trip. Default: 100. */
  maxBatch?: number
}

type Reply = { id?: unknown; jsonrpc?: unknown; result?: unknown; error?: unknown }

/**
 * JSON-RPC over HTTP that distrusts the other side: bounded time, size and depth, ids checked, every answer to the question
 * asked, no redirects. A name and password in the address are sent as HTTP Basic authentication (RFC 7617).
 *
 * @throws EndpointUnreachableError, EndpointTimeoutError, EndpointStatusError, ReplyTooLargeError, ReplyMalformedError,
 *   RpcRejectedError
 */
export function httpRpc(url: string, options: HttpRpcOptions = {}): JsonRpc {
  const { timeoutMs = 10_000, maxBytes = 32 * 1024 * 1024, maxBatch = 100 } = options
  const { address, endpoint, headers } = readUrl(url)
  let nextId = 1

  async function post(calls: readonly RpcCall[]): Promise<unknown[]> {
    const first = nextId
    nextId += calls.length
    const bodies = calls.map((call, i) => ({ jsonrpc: "2.0", id: first + i, method: call.method, params: call.params }))
    const single = calls.length === 1
    const { status, text } = await send(JSON.stringify(single ? bodies[0] : bodies))
    if (status < 200 || status > 299) throw refusedBy(text, status)
    const parsed = parse(text, endpoint)

    const replies = single ? [parsed] : parsed
    if (!Array.isArray(replies)) {
      // A node without batches answers with one error object.
      const error = (parsed as Reply | null)?.error
      if (error !== undefined && error !== null) throw rejected("a batch of calls", error)
      throw malformed("a batch of calls", "an array", typeof parsed)
    }
    const byId = new Map<unknown, Reply>()
    for (const reply of replies as unknown[]) {
      if (typeof reply !== "object" || reply === null) throw malformed("a call", "an object", JSON.stringify(reply))
      const { id } = reply as Reply
      if (byId.has(id)) throw malformed("a call", "each id once", `id ${String(id)} twice`)
      byId.set(id, reply)
    }
    return calls.map((call, i) => {
      const reply = byId.get(first + i)
      if (reply === undefined) {
        const error = (replies[0] as Reply | undefined)?.error
        if (single && error !== undefined && (replies[0] as Reply).id === null) throw rejected(call.method, error)
        throw malformed(call.method, `id ${first + i}`, `ids ${[...byId.keys()].map(String).join(", ").slice(0, 60)}`)
      }
      if (reply.error !== undefined && reply.error !== null) throw rejected(call.method, reply.error)
      if (!Object.hasOwn(reply, "result")) throw malformed(call.method, "a result", "none")
      return reply.result
    })
  }

  async function send(body: string): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const { status, parts } = await httpPost({ address, headers, body, signal })
      return { status, text: await readText(parts, maxBytes, endpoint) }
    } catch (cause) {
      if (cause instanceof FleetrootError) throw cause
      if (signal.aborted) throw new EndpointTimeoutError({ endpoint, timeoutMs, cause })
      throw new EndpointUnreachableError({ endpoint, cause })
    }
  }

  /** Some nodes put a proper JSON-RPC error behind a status of 4xx; all else is the server's refusal. */
  function refusedBy(text: string, status: number): FleetrootError {
    try {
      const { error } = (parseBoundedJson(text) ?? {}) as Reply
      const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
      if (typeof code === "number" && typeof message === "string") return rejected(`a call (HTTP ${status})`, error)
    } catch {
      // No JSON: the status says it all.
    }
    return new EndpointStatusError({ endpoint, status })
  }

  return {
    endpoint,
    request: async (call) => (await post([call]))[0],
    requestMany: async (calls) => {
      const results: unknown[] = []
      for (let start = 0; start < calls.length; start += maxBatch) {
        results.push(...(await post(calls.slice(start, start + maxBatch))))
      }
      return results
    },
  }
}

async function readText(parts: AsyncIterable<Uint8Array>, maxBytes: number, endpoint: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const decode = (part?: Uint8Array): string => {
    try {
      return part === undefined ? decoder.decode() : decoder.decode(part, { stream: true })
    } catch (cause) {
      throw new ReplyMalformedError({ what: "a call", expected: "UTF-8", found: "other bytes", cause })
    }
  }
  let text = ""
  let bytes = 0
  for await (const part of parts) {
    bytes += part.byteLength
    if (bytes > maxBytes) throw new ReplyTooLargeError({ endpoint, maxBytes })
    text += decode(part)
  }
  return text + decode()
}

function parse(text: string, endpoint: string): unknown {
  try {
    return parseBoundedJson(text)
  } catch (cause) {
    const found =
      text.length === 0 ? "nothing" : `${text.length} characters starting ${JSON.stringify(text.slice(0, 40))}`
    throw new ReplyMalformedError({ what: `a call to ${endpoint}`, expected: "JSON", found, cause })
  }
}

function malformed(what: string, expected: string, found: string): ReplyMalformedError {
  return new ReplyMalformedError({ what, expected, found: found.slice(0, 80) })
}

function rejected(method: string, error: unknown): FleetrootError {
  const { code, message, data } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>
  if (typeof code !== "number" || typeof message !== "string") {
    return malformed(method, "an error with code and message", JSON.stringify(error))
  }
  return new RpcRejectedError({ method, rpcCode: code, rpcMessage: message, data })
}

/** The endpoint is named by host and port only: addresses of nodes often hold keys. */
function readUrl(text: string): { address: string; endpoint: string; headers: Record<string, string> } {
  const refuse = (endpoint: string, cause?: unknown): never => {
    throw new EndpointUnreachableError({ endpoint, cause })
  }
  let url: URL
  let credentials: string
  try {
    url = new URL(text)
    credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  } catch (cause) {
    return refuse("the given address, which is not a URL", cause)
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") refuse(`${url.protocol} (only http and https are spoken)`)
  const headers: Record<string, string> = { "content-type": "application/json" }
  if (credentials !== ":") headers["authorization"] = `Basic ${toBase64(new TextEncoder().encode(credentials))}`
  url.username = ""
  url.password = ""
  return { address: url.href, endpoint: url.host, headers }
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
}
