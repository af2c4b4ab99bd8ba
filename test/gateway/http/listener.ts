import { connect } from "node:net"
import { pino } from "pino"
import { buildCertificate, encodePem, generateP256Key } from "../../../client/index.ts"
import { openHttpServer } from "../../../gateway/http/httpServer.ts"
import type { HttpServer, HttpServerOptions } from "../../../gateway/http/httpServer.ts"
import { Metrics } from "../../../gateway/http/metrics.ts"
import type { HttpAnswer, HttpRequest, Route } from "../../../gateway/http/route.ts"
import type { TlsCredentials } from "../../../gateway/http/tlsOptions.ts"

const ANY_PORT = { host: "127.0.0.1", port: 0 }

/** A listener for one test; what it logs is kept. */
export async function openListener(
  routes: readonly Route[],
  options: Partial<Omit<HttpServerOptions, "routes" | "tls">> & { tls?: TlsCredentials } = {},
): Promise<HttpServer & { plainUrl: string; port: number; metrics: Metrics; logged: string[] }> {
  const metrics = new Metrics()
  const logged: string[] = []
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(line) })
  const { tls, ...rest } = options
  const server = await openHttpServer({
    plain: ANY_PORT,
    metrics,
    log,
    ...rest,
    routes,
    tls: tls && { ...ANY_PORT, ...tls },
  })
  const plainUrl = server.plainUrl ?? ""
  return { ...server, plainUrl, port: Number(new URL(plainUrl).port), metrics, logged }
}

export function text(body: string, status = 200): HttpAnswer {
  return { status, headers: { "Content-Type": "text/plain" }, body: new TextEncoder().encode(body) }
}

/** A route that answers with what it was asked. */
export function echo(changes: Partial<Route> = {}): Route & { seen: HttpRequest[] } {
  const seen: HttpRequest[] = []
  return {
    name: "echo",
    methods: ["GET", "POST"],
    path: "/echo/",
    maxBodyBytes: 1000,
    handle: async (request) => {
      seen.push(request)
      return text(`${request.method} ${request.path} ${request.body.length}`)
    },
    seen,
    ...changes,
  }
}

/** What a server answers to these octets until it ends the connection. */
export function rawExchange(port: number, ...pieces: (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.setEncoding("utf8")
    socket.on("data", (piece: string) => (answer += piece))
    socket.on("close", () => {
      resolve(answer)
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error)
    })
  })
}

/** A certificate that signed itself, and its key, as PEM. */
export async function selfSigned(commonName: string): Promise<TlsCredentials & { der: Uint8Array }> {
  const signer = await generateP256Key()
  const now = Math.floor(Date.now() / 1000)
  const der = await buildCertificate({
    subject: { commonName },
    issuer: { commonName },
    spki: signer.spki,
    signer,
    serial: Uint8Array.of(0x11, 0x22),
    notBefore: now - 3600,
    notAfter: now + 3600,
  })
  return {
    der,
    certificate: encodePem("CERTIFICATE", der),
    key: encodePem("PRIVATE KEY", await signer.exportPkcs8()),
  }
}
