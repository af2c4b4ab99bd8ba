import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Route } from "../../gateway/http/route.ts"

/** Routes on a port of this machine, by default any free one, for clients that are programs. */
export async function serveRoutes(
  routes: readonly Route[],
  wantedPort = 0,
): Promise<{ port: number; url: string; requests: string[]; close(): Promise<void> }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    answer(routes, request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(wantedPort, "127.0.0.1", resolve)
  })
  const { port } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      server.closeAllConnections()
    })
  return { port, url: `http://127.0.0.1:${port}`, requests, close }
}

async function answer(routes: readonly Route[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = "/", query = ""] = (request.url ?? "/").split("?")
  const method = request.method ?? "GET"
  const route = findRoute(routes, path, method)
  if (route === undefined) {
    response.writeHead(404).end()
    return
  }
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const { status, headers, body } = await route.handle({
    method,
    path,
    query: new URLSearchParams(query),
    headers: request.headers as Record<string, string | undefined>,
    body: new Uint8Array(Buffer.concat(pieces)),
    clientCertificate: undefined,
    secure: false,
    remoteAddress: "127.0.0.1",
    signal: AbortSignal.timeout(60_000),
  })
  const sent: Uint8Array[] = []
  for await (const piece of body instanceof Uint8Array ? [body] : body) sent.push(piece)
  const whole = Buffer.concat(sent)
  response.writeHead(status, { ...headers, "Content-Length": String(whole.length) })
  response.end(method === "HEAD" ? undefined : whole)
}

/** The longest match wins. */
export function findRoute(routes: readonly Route[], path: string, method: string): Route | undefined {
  const fitting = routes.filter((route) => {
    const here = route.path.endsWith("/") ? path.startsWith(route.path) : path === route.path
    return here && route.methods.includes(method)
  })
  return fitting.sort((a, b) => b.path.length - a.path.length)[0]
}
