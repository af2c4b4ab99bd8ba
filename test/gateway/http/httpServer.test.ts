import { connect } from "node:net"
import type { Socket } from "node:net"
import { request as httpRequest, Agent } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, describe, expect, it } from "vitest"
import { ListenFailedError, RouteConflictError } from "../../../gateway/errors/gateway.ts"
import type { HttpServer } from "../../../gateway/http/httpServer.ts"
import { healthRoutes } from "../../../gateway/http/health.ts"
import { Metrics } from "../../../gateway/http/metrics.ts"
import { readTarget } from "../../../gateway/http/requestHandler.ts"
import type { HttpAnswer, Route } from "../../../gateway/http/route.ts"
import { echo, openListener, rawExchange, text } from "./listener.ts"

const open: HttpServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close(0)))
})

async function listening(
  ...[routes, options]: Parameters<typeof openListener>
): Promise<Awaited<ReturnType<typeof openListener>>> {
  const server = await openListener(routes, options)
  open.push(server)
  return server
}

/** A route that answers when it is told to. */
function gate(changes: Partial<Route> = {}): Route & { open(): void; waiting: AbortSignal[] } {
  const release = Promise.withResolvers<undefined>()
  const waiting: AbortSignal[] = []
  return {
    ...echo(),
    name: "gate",
    path: "/gate",
    handle: async ({ signal }) => {
      waiting.push(signal)
      await release.promise
      return text("through")
    },
    open: () => {
      release.resolve(undefined)
    },
    waiting,
    ...changes,
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5)
}

describe("the HTTP listener", () => {
  it("hands a request to the longest match, with its path as it was sent", async () => {
    const [long, short, exact] = [echo({ path: "/a/b/" }), echo({ path: "/a/" }), echo({ path: "/a" })]
    const { plainUrl } = await listening([short, exact, long])

    await fetch(`${plainUrl}/a/b/x%2Fy//z?q=1&q=2`)
    await fetch(`${plainUrl}/a/c`)
    await fetch(`${plainUrl}/a`, { method: "POST", body: "body" })

    expect(long.seen[0]).toMatchObject({
      method: "GET",
      path: "/a/b/x%2Fy//z",
      secure: false,
      clientCertificate: undefined,
    })
    expect(long.seen[0]?.query.getAll("q")).toEqual(["1", "2"])
    expect(short.seen.map(({ path }) => path)).toEqual(["/a/c"])
    expect(new TextDecoder().decode(exact.seen[0]?.body)).toBe("body")
    expect(exact.seen[0]?.remoteAddress).toBe("127.0.0.1")
  })

  it("answers 404, 405 with what is allowed, and HEAD where GET is answered", async () => {
    const { plainUrl } = await listening([echo({ methods: ["GET"] })])

    const [missing, wrong, head] = await Promise.all([
      fetch(`${plainUrl}/nothing`),
      fetch(`${plainUrl}/echo/`, { method: "PUT", body: "x" }),
      fetch(`${plainUrl}/echo/x`, { method: "HEAD" }),
    ])

    expect(missing.status).toBe(404)
    expect(missing.headers.get("content-type")).toBe("application/problem+json")
    expect(await missing.json()).toEqual({ type: "about:blank", title: "Nothing is at this address", status: 404 })
    expect(wrong.status).toBe(405)
    expect(wrong.headers.get("allow")).toBe("GET, HEAD")
    expect(head.status).toBe(200)
    expect(head.headers.get("content-length")).toBe(String("GET /echo/x 0".length))
    expect(await head.text()).toBe("")
  })

  it("sends an empty body with Content-Length: 0, and none with 304", async () => {
    const empty = echo({
      path: "/empty",
      handle: async () => ({ status: 401, headers: { "WWW-Authenticate": "Basic" }, body: new Uint8Array(0) }),
    })
    const same = echo({
      path: "/same",
      handle: async () => ({ status: 304, headers: { ETag: '"x"' }, body: new Uint8Array(0) }),
    })
    const { plainUrl } = await listening([empty, same])

    expect((await fetch(`${plainUrl}/empty`)).headers.get("content-length")).toBe("0")
    const notModified = await fetch(`${plainUrl}/same`)
    expect([notModified.status, notModified.headers.get("etag"), notModified.headers.get("content-length")]).toEqual([
      304,
      '"x"',
      null,
    ])
  })

  it("streams, and breaks the connection where a stream breaks", async () => {
    const pieces = (fails: boolean) =>
      async function* (): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 20; i++) yield new Uint8Array(65_536)
        if (fails) throw new Error("disk gone")
      }
    const route = (path: string, fails: boolean): Route =>
      echo({ path, handle: async (): Promise<HttpAnswer> => ({ status: 200, headers: {}, body: pieces(fails)() }) })
    const { plainUrl, logged } = await listening([route("/whole", false), route("/broken", true)])

    expect((await (await fetch(`${plainUrl}/whole`)).arrayBuffer()).byteLength).toBe(20 * 65_536)
    await expect(fetch(`${plainUrl}/broken`).then(async (answer) => answer.arrayBuffer())).rejects.toThrow()
    expect(logged.join("")).toContain("disk gone")
  })

  it("refuses a body over the route's limit with 413, declared or not", async () => {
    const { plainUrl, port } = await listening([echo()])
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(2000))
        controller.close()
      },
    })

    const declared = await fetch(`${plainUrl}/echo/`, { method: "POST", body: new Uint8Array(1001) })
    const chunked = await fetch(`${plainUrl}/echo/`, { method: "POST", body: stream, duplex: "half" } as RequestInit)
    const fits = await fetch(`${plainUrl}/echo/`, { method: "POST", body: new Uint8Array(1000) })
    // A client that waits for leave is told before it sends anything.
    const asking = await rawExchange(
      port,
      "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\nExpect: 100-continue\r\n\r\n",
    )

    expect([declared.status, chunked.status, fits.status]).toEqual([413, 413, 200])
    expect(asking).toMatch(/^HTTP\/1\.1 413 /)
  })

  it("gives leave to a client that waits for it", async () => {
    const { port } = await listening([echo()])
    const answer = await rawExchange(
      port,
      "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
      "ok",
    )
    expect(answer).toContain("HTTP/1.1 100 Continue")
    expect(answer).toContain("POST /echo/x 2")
  })

  it("takes HTTP/1.0 without Host, and an absolute address", async () => {
    const route = echo()
    const { port } = await listening([route])

    const old = await rawExchange(port, "POST /echo/ocsp HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
    const absolute = await rawExchange(
      port,
      "GET http://gateway.test/echo/y?z HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n",
    )

    expect(old).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(old).not.toContain("chunked")
    expect(old.endsWith("POST /echo/ocsp 3")).toBe(true)
    expect(absolute.endsWith("GET /echo/y 0")).toBe(true)
  })

  it.each([
    ["not HTTP at all", "\x16\x03\x01\x02\x00garbage\r\n\r\n", 400],
    ["headers beyond the limit", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(40_000)}\r\n\r\n`, 431],
    ["two lengths", "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400],
    [
      "length and chunks",
      "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["HTTP/1.1 without Host", "GET /echo/ HTTP/1.1\r\n\r\n", 400],
    ["an address that is no path", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400],
  ])("refuses %s", async (_what, request, status) => {
    const route = echo()
    const { port } = await listening([route])
    expect(await rawExchange(port, request)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(route.seen).toEqual([])
  })

  it("ends connections that send their request too slowly, and answers others meanwhile", async () => {
    const { port, plainUrl } = await listening([echo()], { limits: { headersSeconds: 1, requestSeconds: 1 } })
    const slow = Array.from({ length: 200 }, (_, i) =>
      rawExchange(
        port,
        i % 2 === 0 ? "GET /echo/ HTT" : "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
      ),
    )

    const honest = await fetch(`${plainUrl}/echo/`)
    const answers = await Promise.all(slow)

    expect(honest.status).toBe(200)
    expect(new Set(answers.map((answer) => answer.slice(0, 12)))).toEqual(new Set(["HTTP/1.1 408"]))
  })

  it("sends answers that are at hand like those that had to be waited for, each to its own question", async () => {
    const handle: Route["handle"] = ({ method, path }) => {
      if (path.endsWith("broken")) throw new Error("a bug")
      return text(`${method} ${path}`)
    }
    const server = await listening([echo({ path: "/now/", handle }), echo()])
    const { plainUrl, metrics, logged } = server
    const paths = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? `/echo/${i}` : `/now/${i}`))
    const answers = await Promise.all(paths.map(async (path) => (await fetch(plainUrl + path)).text()))
    expect(answers).toEqual(paths.map((path) => (path.startsWith("/now") ? `GET ${path}` : `GET ${path} 0`)))

    const piped = await rawExchange(
      server.port,
      paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""),
      "GET /now/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    expect([...piped.matchAll(/GET (\/\w+\/\w+?)(?: 0)?(?=HTTP|$)/g)].map(([, path]) => path)).toEqual([
      ...paths,
      "/now/last",
    ])

    const head = await fetch(`${plainUrl}/now/x`, { method: "HEAD" })
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""])
    expect((await fetch(`${plainUrl}/now/broken`)).status).toBe(500)
    expect(logged.some((line) => line.includes("a bug"))).toBe(true)
    const { values } = await metrics.requests.get()
    const counted = values.reduce((sum, { value }) => sum + value, 0)
    expect(counted).toBe(2 * paths.length + 3)
    expect((await metrics.requests.get()).values.reduce((sum, { value }) => sum + value, 0)).toBe(counted)
  })

  it("answers 503 with Retry-After beyond its limit at once, but the watchers always", async () => {
    const blocked = gate()
    const metrics = new Metrics()
    const { plainUrl } = await listening(
      [blocked, ...healthRoutes({ metrics, readiness: () => ({ ready: true, why: [] }) })],
      { limits: { inFlight: 2 } },
    )

    const first = [fetch(`${plainUrl}/gate`), fetch(`${plainUrl}/gate`)]
    await until(() => blocked.waiting.length === 2)
    const third = await fetch(`${plainUrl}/gate`)
    const health = await fetch(`${plainUrl}/healthz`)
    blocked.open()

    expect([third.status, third.headers.get("retry-after")]).toEqual([503, "1"])
    expect(health.status).toBe(200)
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200])
    expect((await fetch(`${plainUrl}/gate`)).status).toBe(200)
  })

  it("answers 503 when bodies fill the memory that they may have, and gives it back", async () => {
    const blocked = gate()
    const { plainUrl } = await listening([blocked], { limits: { bodyBytes: 1500 } })
    const post = (): Promise<Response> => fetch(`${plainUrl}/gate`, { method: "POST", body: new Uint8Array(1000) })

    const first = post()
    await until(() => blocked.waiting.length === 1)
    const second = await post()
    blocked.open()

    expect(second.status).toBe(503)
    expect((await first).status).toBe(200)
    expect((await post()).status).toBe(200)
  })

  it("answers 429 to a client that asks too often, and not to another", async () => {
    const metrics = new Metrics()
    const { plainUrl } = await listening(
      [echo(), ...healthRoutes({ metrics, readiness: () => ({ ready: true, why: [] }) })],
      { limits: { clientRequestsPerSecond: 0.01, clientBurst: 2 }, trustedProxies: ["127.0.0.1"] },
    )
    const ask = (client: string, path = "/echo/"): Promise<Response> =>
      fetch(`${plainUrl}${path}`, { headers: { "X-Forwarded-For": client } })

    const answers = [await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("192.0.2.1"), await ask("192.0.2.2")]

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 200])
    expect(Number(answers[2]?.headers.get("retry-after"))).toBeGreaterThan(0)
    expect((await ask("192.0.2.1", "/healthz")).status).toBe(200)
    // Also what leads nowhere counts.
    expect((await ask("192.0.2.1", "/nothing")).status).toBe(429)
  })

  it("answers 500 where a route fails, and says why to the log alone", async () => {
    const failing = echo({
      handle: async () => {
        throw new Error("secret reason")
      },
    })
    const { plainUrl, logged } = await listening([failing])

    const answer = await fetch(`${plainUrl}/echo/5F00AABB`)

    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain("secret")
    expect(logged.join("")).toContain("secret reason")
    expect(logged.join("")).not.toContain("5F00AABB")
  })

  it("answers 503 when an answer takes too long, and tells the route", async () => {
    const blocked = gate()
    const { plainUrl } = await listening([blocked], { limits: { answerSeconds: 0.05 } })

    const answer = await fetch(`${plainUrl}/gate`)

    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"])
    expect(blocked.waiting[0]?.aborted).toBe(true)
    blocked.open()
  })

  it("tells a route that its client went away", async () => {
    const blocked = gate()
    const { plainUrl } = await listening([blocked])
    const client = new AbortController()

    const asked = fetch(`${plainUrl}/gate`, { signal: client.signal }).catch(() => "gone")
    await until(() => blocked.waiting.length === 1)
    client.abort()

    expect(await asked).toBe("gone")
    await until(() => blocked.waiting[0]?.aborted === true)
    blocked.open()
  })

  it("keeps connections, up to so many requests each", async () => {
    const { port } = await listening([echo()], { limits: { requestsPerConnection: 2 } })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const sockets = new Set<Socket>()
    const ask = (): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        httpRequest({ port, path: "/echo/", agent }, (response) => {
          sockets.add(response.socket)
          response.resume().on("end", () => {
            resolve(response.headers.connection)
          })
        })
          .on("error", reject)
          .end()
      })

    const answers = [await ask(), await ask(), await ask()]
    agent.destroy()

    expect(answers).toEqual(["keep-alive", "close", "keep-alive"])
    expect(sockets.size).toBe(2)
  })

  it("refuses connections beyond its limit", async () => {
    const { port, metrics } = await listening([echo()], { limits: { connections: 3 } })
    const sockets = Array.from({ length: 6 }, () => connect(port, "127.0.0.1"))
    const ended = sockets.map(
      (socket) =>
        new Promise<boolean>((resolve) => {
          socket.on("close", () => {
            resolve(true)
          })
          socket.on("error", () => undefined)
        }),
    )

    await until(() => sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length === 3)
    for (const socket of sockets) socket.destroy()
    await Promise.all(ended)

    expect(await metrics.registry.metrics()).toContain('fleetroot_http_refused_total{why="connections"} 3')
  })

  it("finishes what it was asked before it closes, and takes nothing new", async () => {
    const blocked = gate()
    const server = await listening([blocked])

    const asked = fetch(`${server.plainUrl}/gate`)
    await until(() => blocked.waiting.length === 1)
    const closing = server.close(60_000)
    await expect(fetch(`${server.plainUrl}/gate`)).rejects.toThrow()
    blocked.open()

    const answer = await asked
    expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"])
    await closing
  })

  it("gives up what does not end in time when it closes", async () => {
    const blocked = gate()
    const server = await listening([blocked])
    const asked = fetch(`${server.plainUrl}/gate`).catch(() => "cut")
    await until(() => blocked.waiting.length === 1)

    await server.close(20)

    expect(blocked.waiting[0]?.aborted).toBe(true)
    await asked
    blocked.open()
  })

  it("says where it cannot listen, and leaves nothing open", async () => {
    const { port } = await listening([])
    await expect(openListener([], { plain: { host: "127.0.0.1", port } })).rejects.toThrow(ListenFailedError)
    await expect(openListener([echo(), echo()])).rejects.toThrow(RouteConflictError)
  })
})

describe("readTarget", () => {
  it.each([
    ["/a%2Fb//c?x=%20&y", { path: "/a%2Fb//c", query: "x=%20&y" }],
    ["/a??b", { path: "/a", query: "?b" }],
    ["http://host:80/p?q", { path: "/p", query: "q" }],
    ["HTTPS://host", { path: "/", query: "" }],
    ["https://host?q", { path: "/", query: "q" }],
    ["*", undefined],
    ["host:443", undefined],
    ["", undefined],
  ])("reads %s", (target, read) => {
    expect(readTarget(target)).toEqual(read)
  })
})

describe("the watchers' addresses", () => {
  it("tell life, readiness with its reasons, and numbers", async () => {
    const metrics = new Metrics()
    let ready = false
    const readiness = () => ({ ready, why: ready ? [] : ["the replica was never synced"], block: 7 })
    const { plainUrl } = await listening([echo(), ...healthRoutes({ metrics, readiness })], { metrics })

    const alive = await fetch(`${plainUrl}/healthz`)
    const waiting = await fetch(`${plainUrl}/readyz`)
    ready = true
    const readyNow = await fetch(`${plainUrl}/readyz`)
    await (await fetch(`${plainUrl}/echo/x`)).text()
    const numbers = await (await fetch(`${plainUrl}/metrics`)).text()

    expect(alive.status).toBe(200)
    expect([waiting.status, await waiting.json()]).toEqual([
      503,
      { ready: false, why: ["the replica was never synced"], block: 7 },
    ])
    expect(readyNow.status).toBe(200)
    expect(numbers).toContain('fleetroot_http_requests_total{route="echo",method="GET",status="200"} 1')
    expect(numbers).toContain('fleetroot_http_requests_total{route="readyz",method="GET",status="503"} 1')
    expect(numbers).toMatch(/fleetroot_http_request_seconds_count\{route="echo"\} 1/)
    expect(numbers).toContain("process_resident_memory_bytes")
  })
})
