// Both ways to send a request must give the readers of answers the same.
import { once } from "node:events"
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { fetchPost, httpPost } from "../../../client/ledger/rpc/httpPost.ts"
import type { HttpRequest, HttpResponse } from "../../../client/ledger/rpc/httpTypes.ts"
import { nodePost } from "../../../client/ledger/rpc/nodePost.ts"

type Answer = (response: ServerResponse, request: IncomingMessage, body: string) => void

const TEXT = JSON.stringify({ jsonrpc: "2.0", id: 1, result: "0x".padEnd(20_000, "ab") })

let server: Server
let address: string
let answer: Answer
let requests: number
let open: number

beforeAll(async () => {
  server = createServer((request, response) => {
    requests += 1
    const parts: Buffer[] = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => answer(response, request, Buffer.concat(parts).toString("utf8")))
  })
  server.on("connection", (socket) => {
    open += 1
    socket.on("close", () => (open -= 1))
    socket.on("error", () => undefined)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/path?key=1`
  open = 0
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  requests = 0
  answer = (response) => response.end(TEXT)
})

const WAYS: [name: string, post: (request: HttpRequest) => Promise<HttpResponse>][] = [
  ["Node's own client", nodePost as NonNullable<typeof nodePost>],
  ["fetch", fetchPost],
]

describe.each(WAYS)("A request by %s", (_name, post) => {
  const ask = async (more: Partial<HttpRequest> = {}): Promise<{ status: number; text: string }> => {
    const signal = AbortSignal.timeout(60_000)
    const headers = { "content-type": "application/json", authorization: "Basic bmFtZTp3b3Jk" }
    const { status, parts } = await post({ address, headers, body: '{"é":1}', signal, ...more })
    const read: Uint8Array[] = []
    for await (const part of parts) read.push(part)
    return { status, text: Buffer.concat(read).toString("utf8") }
  }

  it("brings path, headers and body there, and the answer back", async () => {
    let seen: unknown
    answer = (response, { method, url, headers }, body) => {
      seen = [method, url, headers["content-type"], headers.authorization, body]
      response.end(TEXT)
    }

    expect(await ask()).toEqual({ status: 200, text: TEXT })
    expect(seen).toEqual(["POST", "/path?key=1", "application/json", "Basic bmFtZTp3b3Jk", '{"é":1}'])
  })

  it("answers with any status, and follows no redirect", async () => {
    for (const status of [301, 302, 307, 308, 404, 503]) {
      answer = (response) => response.writeHead(status, { location: "/elsewhere" }).end("x")
      expect(await ask()).toEqual({ status, text: "x" })
    }
    expect(requests).toBe(6)
  })

  it.each([
    ["gzip", gzipSync(TEXT)],
    ["x-gzip", gzipSync(TEXT)],
    ["GZIP", gzipSync(TEXT)],
    ["deflate", deflateSync(TEXT)],
    ["br", brotliCompressSync(TEXT)],
    ["gzip, br", brotliCompressSync(gzipSync(TEXT))],
  ])("reads what comes as %s", async (encoding, bytes) => {
    answer = (response) => response.writeHead(200, { "content-encoding": encoding }).end(bytes)
    expect((await ask()).text).toBe(TEXT)
  })

  it("leaves a compression alone that it does not know", async () => {
    answer = (response) => response.writeHead(200, { "content-encoding": "rot13, gzip" }).end("[1]")
    expect((await ask()).text).toBe("[1]")
  })

  it("gives what was cut short as far as it goes", async () => {
    const bytes = gzipSync(TEXT)
    answer = (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bytes.subarray(0, 40))
    const { text } = await ask()
    expect(text.length).toBeLessThan(TEXT.length)
    expect(TEXT.startsWith(text)).toBe(true)
  })

  const FAILING: [what: string, answer: Answer][] = [
    ["closes the connection", (response) => void response.destroy()],
    [
      "goes over to another protocol",
      ({ socket }) => socket?.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    ],
    ["says plain text is compressed", (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(TEXT)],
    [
      "ends in the middle",
      (response) => {
        response.writeHead(200, { "content-length": TEXT.length })
        response.write(TEXT.slice(0, 100), () => response.destroy())
      },
    ],
    [
      "compresses more often than anybody does",
      (response) => response.writeHead(200, { "content-encoding": "gzip, gzip, gzip, gzip, gzip, gzip" }).end("x"),
    ],
  ]
  it.each(FAILING)("fails when the server %s", async (_what, fault) => {
    answer = fault
    await expect(ask()).rejects.toThrow()
  })

  it("ends when it is called off, before the answer and in it", async () => {
    for (const begin of [false, true]) {
      const caller = new AbortController()
      answer = (response) => {
        if (begin) response.write("[", () => caller.abort())
        else caller.abort()
      }
      await expect(ask({ signal: caller.signal })).rejects.toThrow()
    }
    const late = AbortSignal.abort()
    await expect(ask({ signal: late })).rejects.toThrow()
  })

  it("lets go of the connection when the reader has seen enough", async () => {
    answer = (response) => {
      response.on("error", () => undefined)
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
      }
      response.on("drain", more)
      more()
    }
    const { parts } = await post({ address, headers: {}, body: "", signal: AbortSignal.timeout(60_000) })
    for await (const part of parts) {
      expect(part.length).toBeGreaterThan(0)
      break
    }
    server.closeIdleConnections()
    await expect.poll(() => open, { timeout: 30_000 }).toBe(0)
  })
})

describe("A kept connection", () => {
  it("serves for one request after another", async () => {
    const ports = new Set<number | undefined>()
    answer = (response, { socket }) => {
      ports.add(socket.remotePort)
      response.end(TEXT)
    }
    for (let i = 0; i < 3; i++) {
      const { parts } = await httpPost({ address, headers: {}, body: "", signal: AbortSignal.timeout(60_000) })
      for await (const part of parts) expect(part.length).toBeGreaterThan(0)
    }
    expect(ports.size).toBe(1)
  })

  it("that the server closes just as it is taken up again costs a second request, not an answer", async () => {
    const ask = async (): Promise<number> => {
      const { status, parts } = await httpPost({
        address,
        headers: {},
        body: "[]",
        signal: AbortSignal.timeout(60_000),
      })
      for await (const part of parts) expect(part.length).toBeGreaterThan(0)
      return status
    }
    await ask()
    let refused = 0
    answer = (response, { socket }) => {
      refused += 1
      if (refused > 1) response.end(TEXT)
      else socket.resetAndDestroy()
    }

    expect(await ask()).toBe(200)
    expect(refused).toBe(2)
  })

  it("is not asked again on a fresh one", async () => {
    answer = (_response, { socket }) => void socket.resetAndDestroy()
    const fresh = address.replace("127.0.0.1", "localhost")
    const asked = httpPost({ address: fresh, headers: {}, body: "[]", signal: AbortSignal.timeout(60_000) })
    await expect(asked).rejects.toThrow()
    expect(requests).toBe(1)
  })
})
