import {
  EndpointTimeoutError,
  EndpointUnreachableError,
  ReplyMalformedError,
  ReplyTooLargeError,
  RpcRejectedError,
} from "../../errors/ledger.ts"
import { FleetrootError } from "../../errors/base.ts"
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
 * JSON-RPC over HTTP that distrusts the other side: bounded time and size, ids checked, every answer to the question asked.
 *
 * @throws EndpointUnreachableError, EndpointTimeoutError, ReplyTooLargeError, ReplyMalformedError, RpcRejectedError
 */
export function httpRpc(url: string, options: HttpRpcOptions = {}): JsonRpc {
  const { timeoutMs = 10_000, maxBytes = 32 * 1024 * 1024, maxBatch = 100 } = options
  const endpoint = describe(url)
  let nextId = 1

  async function post(calls: readonly RpcCall[]): Promise<unknown[]> {
    const first = nextId
    nextId += calls.length
    const bodies = calls.map((call, i) => ({ jsonrpc: "2.0", id: first + i, method: call.method, params: call.params }))
    const single = calls.length === 1
    const text = await send(JSON.stringify(single ? bodies[0] : bodies))
    const parsed = parse(text, endpoint)

    const replies = single ? [parsed] : parsed
    if (!Array.isArray(replies)) {
      // A node without batches answers with one error object.
      const error = (parsed as Reply | null)?.error
      if (error !== undefined) throw rejected("a batch of calls", error)
      throw malformed("a batch of calls", "an array", typeof parsed)
    }
    const byId = new Map<unknown, Reply>()
    for (const reply of replies as unknown[]) {
      if (typeof reply !== "object" || reply === null) throw malformed("a call", "an object", JSON.stringify(reply))
      const { id } = reply as Reply
      if (byId.has(id)) throw malformed("a call", "each id once", `id ${String(id)} twice`)
      byId.set(id, reply as Reply)
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

  async function send(body: string): Promise<string> {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal,
        redirect: "error",
      })
      return await readText(response, maxBytes, endpoint)
    } catch (cause) {
      if (cause instanceof FleetrootError) throw cause
      if (signal.aborted) throw new EndpointTimeoutError({ endpoint, timeoutMs, cause })
      throw new EndpointUnreachableError({ endpoint, cause })
    }
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

async function readText(response: Response, maxBytes: number, endpoint: string): Promise<string> {
  if (response.body === null) return ""
  const reader = response.body.getReader()
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let text = ""
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel()
      throw new ReplyTooLargeError({ endpoint, maxBytes })
    }
    try {
      text += decoder.decode(value, { stream: true })
    } catch (cause) {
      await reader.cancel()
      throw new ReplyMalformedError({ what: "a call", expected: "UTF-8", found: "other bytes", cause })
    }
  }
  return text
}

function parse(text: string, endpoint: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const found =
      text.length === 0 ? "nothing" : `${text.length} characters starting ${JSON.stringify(text.slice(0, 40))}`
    throw new ReplyMalformedError({ what: `a call to ${endpoint}`, expected: "JSON", found, cause })
  }
}

function malformed(what: string, expected: string, found: string): ReplyMalformedError {
  return new ReplyMalformedError({ what, expected, found })
}

function rejected(method: string, error: unknown): FleetrootError {
  const { code, message, data } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>
  if (typeof code !== "number" || typeof message !== "string") {
    return malformed(method, "an error with code and message", JSON.stringify(error).slice(0, 80))
  }
  return new RpcRejectedError({ method, rpcCode: code, rpcMessage: message, data })
}

/** Host and port only: addresses of nodes often hold keys. */
function describe(url: string): string {
  try {
    return new URL(url).host
  } catch (cause) {
    throw new EndpointUnreachableError({ endpoint: "the given address, which is not a URL", cause })
  }
}
