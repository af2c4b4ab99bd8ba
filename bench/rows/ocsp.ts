import { execFile, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pino } from "pino"
import {
  buildCertificate,
  encodePem,
  encodePositionSerial,
  generateP256Key,
  httpRpc,
  memoryStore,
  Replica,
  toHex,
} from "../../client/index.ts"
import { openHttpServer } from "../../gateway/http/httpServer.ts"
import { openIssuer } from "../../gateway/issuers/issuer.ts"
import { encodeCertId, encodeOcspRequest } from "../../gateway/ocsp/codec.ts"
import { ocspRoutes, StaticAnswers } from "../../gateway/ocsp/index.ts"
import { issuerHashes } from "../../gateway/ocsp/responderBook.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { nowSeconds } from "../../test/helpers/fleet.ts"
import type { HttpLoad } from "../peers/httpLoad.ts"
import { row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { randomHashes } from "../worlds/fleet.ts"

const LOAD = fileURLToPath(new URL("../peers/httpLoad.ts", import.meta.url))
const SERIES = 0x8000_0000
const SIZE = 1_000
const CONNECTIONS = 16
/** What /proc counts in. */
const TICKS_PER_SECOND = 100
const YEAR = 365 * 86_400

/** `count`: with those while it warmed up. */
type Load = { perSecond: number; p99: number; count: number }

/** OCSP answers a second: openssl's own responder, the gateway, and the gateway's files behind nginx, by one load tool in turn.
 * openssl's closes the connection after each answer and cannot do otherwise. */
export async function ocsp({ quick }: GroupOptions): Promise<Measured> {
  const seconds = quick ? 0.5 : 5
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-bench-"))
  const at = (name: string): string => join(folder, name)
  const net = await anvilLedger()
  const maker = await net.admit("Acme Works")
  const signer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer })
  const now = nowSeconds()
  const root = toHex(randomHashes(1))
  const { manufacturerId } = maker
  await maker.registerBatch({
    root,
    size: SIZE,
    notAfter: now + YEAR,
    issuerKeyId: signer.keyId,
    series: SERIES,
    issuer: signer,
  })
  await maker.revokePlaces(
    SERIES,
    Array.from({ length: SIZE / 100 }, (_, i) => i * 100),
    1,
  )
  await net.pass(10)
  const replica = await Replica.open({ deployment: net.deployment, rpc: httpRpc(net.url), store: memoryStore() })
  await replica.sync()
  const certificate = await buildCertificate({
    subject: { commonName: "Bench CA" },
    issuer: { commonName: "Bench CA" },
    spki: signer.spki,
    signer,
    serial: Uint8Array.of(1),
    notBefore: now - 3_600,
    notAfter: now + 10 * YEAR,
    ca: true,
  })
  const issuer = await openIssuer({ certificate, signer })
  const context = { replica, issuers: [issuer], maxAgeSeconds: 3_600 }
  const serials = Array.from({ length: SIZE }, (_, index) => {
    const { chainId, contracts } = net.deployment
    const binding = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId: signer.keyId }
    return encodePositionSerial({ ...binding, manufacturerId, series: SERIES, index })
  })
  const hashes = issuerHashes(issuer, "sha1")
  const questions = serials.map((serial) => encodeOcspRequest([encodeCertId({ hash: "sha1", ...hashes, serial })]))
  const nonced = serials.map((serial) => {
    return encodeOcspRequest([encodeCertId({ hash: "sha1", ...hashes, serial })], randomHashes(1))
  })
  writeRequests(at("post.json"), questions.map(post))
  writeRequests(at("nonce.json"), nonced.map(post))
  writeRequests(at("get.json"), questions.map(get))

  try {
    // 1. openssl's responder, which listens everywhere: in a network of its own.
    writeFileSync(at("ca.pem"), encodePem("CERTIFICATE", certificate))
    writeFileSync(at("ca.key"), encodePem("PRIVATE KEY", await signer.exportPkcs8()), { mode: 0o600 })
    const index = serials.map((serial, i) => {
      const [status, revocation] = i % 100 === 0 ? ["R", "261123000000Z,keyCompromise"] : ["V", ""]
      return `${status}\t271123000000Z\t${revocation}\t${toHex(serial).slice(2).toUpperCase()}\tunknown\t/CN=device ${i}\n`
    })
    writeFileSync(at("index.txt"), index.join(""))
    const shared = { seconds, connections: CONNECTIONS }
    const peerLoad: HttpLoad = { ...shared, port: 9081, file: at("post.json"), keepAlive: false }
    const files = `-rsigner ${at("ca.pem")} -rkey ${at("ca.key")} -CA ${at("ca.pem")}`
    const script = `ip link set lo up
openssl ocsp -index ${at("index.txt")} -port 9081 ${files} -nmin 60 >/dev/null 2>&1 &
responder=$!
"${process.execPath}" "${LOAD}" '${JSON.stringify(peerLoad)}'
status=$?
cut -d' ' -f14,15 /proc/$responder/stat
kill $responder
exit $status`
    const [answer = "", ticks = ""] = (await output("unshare", ["-rn", "sh", "-c", script])).split("\n")
    const openssl = JSON.parse(answer) as Load
    const opensslSeconds = ticks.split(" ").reduce((sum, used) => sum + Number(used) / TICKS_PER_SECOND, 0)

    // 2. The gateway itself, as it comes.
    const log = pino({ level: "silent" })
    const limits = { clientRequestsPerSecond: 0, requestsPerConnection: 10_000_000 }
    const server = await openHttpServer({
      plain: { host: "127.0.0.1", port: 0 },
      routes: ocspRoutes(context),
      limits,
      log,
    })
    const port = Number(new URL(server.plainUrl ?? "").port)
    const own = (file: string, keepAlive: boolean): Promise<Load> =>
      load({ ...shared, port, file: at(file), keepAlive })
    const closing = await own("post.json", false)
    const before = process.cpuUsage()
    const kept = await own("post.json", true)
    const { user, system } = process.cpuUsage(before)
    const fetched = await own("get.json", true)
    const signed = await own("nonce.json", true)
    await server.close(0)

    // 3. Its files behind nginx.
    const answers = new StaticAnswers({ ...context, folder: at("www") })
    await answers.refresh()
    const nginx = await startNginx(folder)
    const still = await load({ ...shared, port: nginx.port, file: at("get.json"), keepAlive: true })
    const stillClosing = await load({ ...shared, port: nginx.port, file: at("get.json"), keepAlive: false })
    nginx.stop()

    const peers = [{ name: "openssl ocsp, its own responder", value: openssl.perSecond }]
    const slow = [{ name: "openssl ocsp, its own responder", value: openssl.p99 }]
    const processor = [{ name: "openssl ocsp, its own responder", value: (opensslSeconds * 1e6) / openssl.count }]
    const times = (one: Load): number => one.perSecond / openssl.perSecond
    return [
      row("OCSP answers a second, gateway, a connection each", closing.perSecond, "1/s", { peers }),
      row("OCSP answers a second, gateway, kept connections", kept.perSecond, "1/s", { peers }),
      row("OCSP answers a second, gateway, kept connections, against openssl", times(kept), "times", { atLeast: 2 }),
      row("OCSP answers, gateway, kept connections, p99", kept.p99, "ms", { atMost: openssl.p99, peers: slow }),
      row("processor time an OCSP answer, gateway, kept connections", (user + system) / kept.count, "µs", {
        peers: processor,
      }),
      row("OCSP answers a second, gateway, kept connections, GET", fetched.perSecond, "1/s", { peers }),
      row("OCSP answers a second, gateway, nonces (a signature each)", signed.perSecond, "1/s", { peers }),
      row("OCSP answers a second, files behind nginx, a connection each", stillClosing.perSecond, "1/s", { peers }),
      row("OCSP answers a second, files behind nginx, kept connections", still.perSecond, "1/s", { peers }),
      row("OCSP answers a second, files behind nginx, against openssl", times(still), "times", { atLeast: 5 }),
      row("OCSP answers, files behind nginx, p99", still.p99, "ms", { atMost: openssl.p99, peers: slow }),
    ]
  } finally {
    await replica.close()
    await net.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function writeRequests(file: string, requests: readonly Uint8Array[]): void {
  writeFileSync(file, JSON.stringify(requests.map((request) => Buffer.from(request).toString("base64"))))
}

function post(request: Uint8Array): Uint8Array {
  const head = `POST /ocsp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ocsp-request\r\nContent-Length: ${request.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), request])
}

function get(request: Uint8Array): Uint8Array {
  const base64 = encodeURIComponent(Buffer.from(request).toString("base64"))
  return Buffer.from(`GET /ocsp/${base64} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
}

async function load(options: HttpLoad): Promise<Load> {
  return JSON.parse(await output(process.execPath, [LOAD, JSON.stringify(options)])) as Load
}

function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program}: ${stderr}`, { cause: error }))
    })
  })
}

async function startNginx(folder: string): Promise<{ port: number; stop(): void }> {
  const port = await freePort()
  const at = (name: string): string => join(folder, name)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`)
  writeFileSync(
    at("nginx.conf"),
    `daemon off; pid ${at("nginx.pid")}; error_log stderr; worker_processes 1; user root;
events { worker_connections 256; }
http {
  access_log off; ${temporary.join(" ")} keepalive_requests 10000000;
  open_file_cache max=10000 inactive=60s;
  server {
    listen 127.0.0.1:${port};
    location /ocsp/ { root ${at("www")}; default_type application/ocsp-response; index index.der; types { } }
  }
}
`,
  )
  const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` }
  const child = spawn("nginx", ["-c", at("nginx.conf"), "-p", folder, "-e", "stderr"], { stdio: "ignore", env })
  return { port, stop: () => void child.kill("SIGTERM") }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
