import { createServer as createPlainServer, STATUS_CODES } from "node:http"
import type { Server, ServerOptions } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { Server as TlsServer } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Logger } from "pino"
import { ListenFailedError } from "../errors/gateway.ts"
import { ClientAddresses } from "./clientAddress.ts"
import { DEFAULT_LIMITS } from "./limits.ts"
import type { HttpLimits } from "./limits.ts"
import { Metrics } from "./metrics.ts"
import { RequestHandler } from "./requestHandler.ts"
import type { Route } from "./route.ts"
import { tlsOptions } from "./tlsOptions.ts"
import type { TlsCredentials } from "./tlsOptions.ts"

/** Where to listen. Port 0: any free one. */
export type ListenAddress = { readonly host: string; readonly port: number }

/** Where a server listens: `http://host:port`, and with TLS; undefined without such a listener. */
export type ServerUrls = { readonly plainUrl: string | undefined; readonly tlsUrl: string | undefined }

export type HttpServerOptions = {
  /** What is answered; or what makes it once the addresses are known. Until then there is 503. */
  readonly routes: readonly Route[] | ((urls: ServerUrls) => readonly Route[])
  readonly plain?: ListenAddress | undefined
  readonly tls?: (ListenAddress & TlsCredentials) | undefined
  readonly limits?: Partial<HttpLimits> | undefined
  /** Reverse proxies whose X-Forwarded-For is believed: addresses and networks. Default: none. */
  readonly trustedProxies?: readonly string[] | undefined
  readonly metrics?: Metrics
  readonly log: Logger
}

export type HttpServer = ServerUrls & {
  /** New connections get this certificate. @throws TlsCredentialsUnfitError, and then the old one stays. */
  reloadTls(credentials: TlsCredentials): void
  /** Stops listening, waits for the answers on their way, and after `graceMs` ends those too. */
  close(graceMs?: number): Promise<void>
}

const GRACE_MS = 10_000

/**
 * The gateway's listeners, without TLS and with it, in front of the same routes.
 *
 * @throws ListenFailedError, TlsCredentialsUnfitError, RouteConflictError, ProxyAddressInvalidError.
 */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { routes, plain, tls, log } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const metrics = options.metrics ?? new Metrics()
  const addresses = new ClientAddresses(options.trustedProxies)
  const handler = new RequestHandler({ limits, metrics, log, addresses })
  const shared = serverOptions(limits)

  const plainServer = plain === undefined ? undefined : createPlainServer(shared)
  const tlsServer = tls === undefined ? undefined : createTlsServer({ ...shared, ...tlsOptions(tls, limits) })
  const opened: (Server | TlsServer)[] = []
  const open = async (server: Server | TlsServer, at: ListenAddress, secure: boolean): Promise<string> => {
    guard(server, limits, metrics, secure)
    handler.attach(server, secure)
    await listen(server, at)
    opened.push(server)
    return urlOf(server, at, secure)
  }
  try {
    const plainUrl = plainServer && plain && (await open(plainServer, plain, false))
    const tlsUrl = tlsServer && tls && (await open(tlsServer, tls, true))
    handler.serve(typeof routes === "function" ? routes({ plainUrl, tlsUrl }) : routes)
    return {
      plainUrl,
      tlsUrl,
      reloadTls: (credentials) => tlsServer?.setSecureContext(tlsOptions(credentials, limits)),
      close: (graceMs = GRACE_MS) => closeAll(opened, handler, graceMs),
    }
  } catch (error) {
    await closeAll(opened, handler, 0)
    throw error
  }
}

function serverOptions(limits: HttpLimits): ServerOptions {
  return {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersSeconds * 1000,
    requestTimeout: limits.requestSeconds * 1000,
    keepAliveTimeout: limits.keepAliveSeconds * 1000,
    // How soon after its time a slow request is ended.
    connectionsCheckingInterval: 1000,
    noDelay: true,
  }
}

function guard(server: Server | TlsServer, limits: HttpLimits, metrics: Metrics, secure: boolean): void {
  const listener = secure ? "tls" : "plain"
  server.maxHeadersCount = 100
  server.maxConnections = limits.connections
  server.maxRequestsPerSocket = limits.requestsPerConnection
  // A client that reads nothing, or sends nothing, for this long is cut off.
  server.setTimeout((limits.answerSeconds + limits.requestSeconds) * 1000)
  server.on("connection", (socket: Socket) => {
    metrics.connections.inc({ listener })
    socket.once("close", () => {
      metrics.connections.dec({ listener })
    })
  })
  server.on("drop", () => {
    metrics.refused.inc({ why: "connections" })
  })
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    metrics.refused.inc({ why: "malformed" })
    refuseMalformed(error, socket)
  })
}

const STATUS_OF: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** What is no request gets an answer that is one, as far as somebody still listens. */
function refuseMalformed({ code }: NodeJS.ErrnoException, socket: Duplex): void {
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const status = STATUS_OF[code ?? ""] ?? 400
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => {
    socket.destroy()
  })
}

async function listen(server: Server | TlsServer, { host, port }: ListenAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      reject(new ListenFailedError({ address: `${host}:${port}`, reason: cause.code ?? cause.message, cause }))
    }
    server.once("error", failed)
    server.listen({ host, port }, () => {
      server.off("error", failed)
      resolve()
    })
  })
}

function urlOf(server: Server | TlsServer, { host }: ListenAddress, secure: boolean): string {
  const { port } = server.address() as AddressInfo
  return `${secure ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`
}

async function closeAll(
  servers: readonly (Server | TlsServer)[],
  handler: RequestHandler,
  graceMs: number,
): Promise<void> {
  handler.stopping()
  const closed = servers.map(
    (server) =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve()
        })
      }),
  )
  for (const server of servers) server.closeIdleConnections()
  const timer = setTimeout(() => {
    handler.abort()
    for (const server of servers) server.closeAllConnections()
  }, graceMs)
  await Promise.all(closed)
  clearTimeout(timer)
}
