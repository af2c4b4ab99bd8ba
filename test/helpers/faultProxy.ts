import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** One JSON-RPC call on its way, and the node's own reply to it. */
export type Exchange = { method: string; params: unknown[]; reply: { id: unknown; result?: unknown; error?: unknown } }

/** What the proxy does to one HTTP answer; it gets the honest text and may do with the connection what it likes. */
export type Fault = (response: ServerResponse, honest: string) => void | Promise<void>

/** A node's address that misbehaves as it is told. */
export class FaultProxy {
  readonly url: string
  /** How many HTTP requests came. */
  requests = 0
  /** The node to ask for each HTTP request, by its number: the address stays, what is behind it may not. */
  upstream: (request: number) => string
  /** Changes single replies; returning undefined leaves the reply as it is. */
  tamper: ((exchange: Exchange) => Exchange["reply"] | undefined) | undefined
  /** Takes over whole answers. */
  fault: Fault | undefined
  readonly close: () => Promise<void>

  private constructor(url: string, upstream: string, close: () => Promise<void>) {
    this.url = url
    this.upstream = () => upstream
    this.close = close
  }

  /** Starts a proxy in front of a node. */
  static async start(upstream: string): Promise<FaultProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    const { port } = server.address() as AddressInfo
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      })
    const proxy = new FaultProxy(`http://127.0.0.1:${port}`, upstream, close)
    server.on("request", (request, response) => {
      proxy.pass(request, response).catch(() => response.destroy())
    })
    return proxy
  }

  /** Behaves again. */
  heal(): void {
    this.tamper = undefined
    this.fault = undefined
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString("utf8")
    const honest = await this.#ask(body)
    const text = this.tamper === undefined ? honest : this.#tampered(body, honest)
    if (this.fault !== undefined) return this.fault(response, text)
    response.setHeader("content-type", "application/json")
    response.end(text)
  }

  async #ask(body: string): Promise<string> {
    const answer = await fetch(this.upstream(this.requests), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    })
    return answer.text()
  }

  #tampered(asked: string, answered: string): string {
    const calls = JSON.parse(asked) as
      { method: string; params: unknown[]; id: unknown } | { method: string; params: unknown[]; id: unknown }[]
    const replies = JSON.parse(answered) as Exchange["reply"] | Exchange["reply"][]
    const many = Array.isArray(replies) ? replies : [replies]
    const changed = many.map((reply, i) => {
      const call = Array.isArray(calls) ? calls[i] : calls
      if (call === undefined) return reply
      return this.tamper?.({ method: call.method, params: call.params, reply }) ?? reply
    })
    return JSON.stringify(Array.isArray(replies) ? changed : changed[0])
  }
}
