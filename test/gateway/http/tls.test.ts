import { createServer as createTlsServer, connect as tlsConnect } from "node:tls"
import type { ConnectionOptions, TLSSocket } from "node:tls"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { equalBytes, toHex } from "../../../client/index.ts"
import { TlsCredentialsUnfitError } from "../../../gateway/errors/gateway.ts"
import { clientCertificateOf } from "../../../gateway/http/clientCertificate.ts"
import type { HttpServer } from "../../../gateway/http/httpServer.ts"
import { echo, openListener, selfSigned, text } from "./listener.ts"

type Identity = Awaited<ReturnType<typeof selfSigned>>
type Exchange = {
  answer: string
  session: Buffer | undefined
  reused: boolean
  protocol: string
  serverName: string
  /** What the client knows the connection by. */
  binding: string
}

/** One request over a TLS connection of its own, and the session that the server offered for the next. */
async function exchange(port: number, options: ConnectionOptions, path = "/echo/"): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    let [answer, session] = ["", undefined as Buffer | undefined]
    let seen = { reused: false, protocol: "", serverName: "", binding: "" }
    const socket: TLSSocket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options }, () => {
      const { subject } = socket.getPeerCertificate()
      seen = {
        reused: socket.isSessionReused(),
        protocol: socket.getProtocol() ?? "",
        serverName: String(subject?.CN),
        binding: bindingOf(socket).toString("hex"),
      }
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    })
    socket.on("session", (offered) => (session = offered))
    socket.setEncoding("utf8").on("data", (piece: string) => (answer += piece))
    socket.on("end", () => {
      resolve({ answer, session, ...seen })
    })
    socket.on("error", reject)
  })
}

function bindingOf(socket: TLSSocket): Buffer {
  if (socket.getProtocol() !== "TLSv1.3") return socket.getFinished() ?? Buffer.alloc(0)
  return socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0))
}

describe("the TLS listener", () => {
  let server: Identity
  let device: Identity
  let other: Identity
  let listener: HttpServer
  let port: number
  const route = echo({ secureOnly: true })
  let plainUrl: string

  beforeAll(async () => {
    server = await selfSigned("gateway")
    device = await selfSigned("device")
    other = await selfSigned("other")
    const opened = await openListener([route], { tls: server, limits: { headersSeconds: 1 } })
    listener = opened
    plainUrl = opened.plainUrl
    port = Number(new URL(opened.tlsUrl ?? "").port)
  })
  afterAll(() => listener.close(0))

  const withCertificate = ({ certificate, key }: Identity): ConnectionOptions => ({ cert: certificate, key })
  const lastSeen = () => route.seen.at(-1)

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "gives the route the certificate that was proven in %s, or none",
    async (version) => {
      const only = { minVersion: version, maxVersion: version }
      const shown = await exchange(port, { ...withCertificate(device), ...only })
      const proven = lastSeen()
      await exchange(port, only)
      const without = lastSeen()

      expect(shown.protocol).toBe(version)
      expect(toHex(proven?.clientCertificate ?? new Uint8Array())).toBe(toHex(device.der))
      expect(proven?.clientCertificate).not.toBeInstanceOf(Buffer)
      expect(proven?.secure).toBe(true)
      expect(without?.clientCertificate).toBeUndefined()
    },
  )

  it.each(["TLSv1.2", "TLSv1.3"] as const)("resumes no session of %s", async (version) => {
    const only = { minVersion: version, maxVersion: version }
    const first = await exchange(port, { ...withCertificate(device), ...only })
    const session = first.session === undefined ? {} : { session: first.session }

    const second = await exchange(port, { ...only, ...session })

    expect(second.reused).toBe(false)
    expect(lastSeen()?.clientCertificate).toBeUndefined()
  })

  it.each([
    ["TLSv1.2", 12],
    ["TLSv1.3", 32],
  ] as const)("tells the route what the client knows the connection by, in %s", async (version, octets) => {
    const bindings: string[] = []
    const told = echo({
      handle: async ({ channelBinding }) => {
        bindings.push(Buffer.from(channelBinding?.() ?? []).toString("hex"))
        return text("")
      },
    })
    const opened = await openListener([told], { tls: server })
    const only = { minVersion: version, maxVersion: version }
    const own = Number(new URL(opened.tlsUrl ?? "").port)

    const [one, other] = [await exchange(own, only), await exchange(own, only)]
    await fetch(`${opened.plainUrl}/echo/`)
    await opened.close(0)

    expect(bindings).toEqual([one.binding, other.binding, ""])
    expect(one.binding).toHaveLength(octets * 2)
    expect(other.binding).not.toBe(one.binding)
  })

  it("answers what is for TLS only nowhere else", async () => {
    const before = route.seen.length
    const answer = await fetch(`${plainUrl}/echo/`)
    expect([answer.status, route.seen.length]).toEqual([403, before])
  })

  it("changes its certificate while it runs, and keeps the old one when the new one is unfit", async () => {
    const broken = { certificate: other.certificate, key: device.key }

    expect((await exchange(port, {})).serverName).toBe("gateway")
    expect(() => listener.reloadTls(broken)).toThrow(TlsCredentialsUnfitError)
    expect((await exchange(port, {})).serverName).toBe("gateway")
    listener.reloadTls(other)
    expect((await exchange(port, {})).serverName).toBe("other")
    listener.reloadTls(server)
    await exchange(port, withCertificate(device))
    expect(equalBytes(lastSeen()?.clientCertificate ?? new Uint8Array(), device.der)).toBe(true)
  })

  it("refuses to start with a certificate and a key that do not belong together", async () => {
    const broken = { certificate: other.certificate, key: device.key }
    await expect(openListener([], { tls: broken })).rejects.toThrow(TlsCredentialsUnfitError)
    await expect(openListener([], { tls: { certificate: "", key: "" } })).rejects.toThrow(TlsCredentialsUnfitError)
  })

  it("speaks no TLS 1.1", async () => {
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const
    await expect(exchange(port, old)).rejects.toThrow()
  })
})

describe("clientCertificateOf, on a server that resumes sessions", () => {
  it("believes no resumed session, with a certificate in the first one or without", async () => {
    const [own, device] = await Promise.all([selfSigned("server"), selfSigned("device")])
    const seen: { reused: boolean; certificate: Uint8Array | undefined }[] = []
    const server = createTlsServer(
      { cert: own.certificate, key: own.key, requestCert: true, rejectUnauthorized: false },
      (socket) => {
        seen.push({ reused: socket.isSessionReused(), certificate: clientCertificateOf(socket) })
        socket.on("error", () => undefined)
        socket.once("data", () => socket.end("HTTP/1.1 204\r\n\r\n"))
      },
    )
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve)
    })
    const { port } = server.address() as AddressInfo
    const tls13 = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const

    const bare = await exchange(port, tls13)
    const bareAgain = await exchange(port, { ...tls13, ...(bare.session && { session: bare.session }) })
    const shown = await exchange(port, { ...tls13, cert: device.certificate, key: device.key })
    const shownAgain = await exchange(port, { ...tls13, ...(shown.session && { session: shown.session }) })
    server.close()

    expect([bareAgain.reused, shownAgain.reused]).toEqual([true, true])
    expect(seen.map(({ reused }) => reused)).toEqual([false, true, false, true])
    // Some versions of Node call this one authorized, though no certificate was ever shown.
    expect(seen[1]?.certificate).toBeUndefined()
    // A session of somebody who showed one proves nothing about this connection.
    expect(seen[2]?.certificate).toEqual(device.der)
    expect(seen[3]?.certificate).toBeUndefined()
  })
})
