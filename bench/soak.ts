// A gateway under full load for minutes, with the ledger stopped and started again in the middle.
//
//   node bench/soak.ts [--minutes 5] [--enrolments 16] [--connections 8]
//
// Prints what was found as JSON. Exits with 1 if an enrolment was lost or doubled, a certificate is not good, an answer was given
// from a ledger that had been silent for too long, or memory grew.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent as PlainAgent, request as httpRequest } from "node:http"
import { Agent as TlsAgent, request as httpsRequest } from "node:https"
import type { IncomingHttpHeaders } from "node:http"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import {
  buildCertificate,
  buildCsr,
  encodePem,
  formatDeployment,
  generateP256Key,
  memoryStore,
  parseCertificate,
  Replica,
  toHex,
  Verifier,
} from "../client/index.ts"
import type { Certificate } from "../client/index.ts"
import { makeToken } from "../gateway/est/index.ts"
import type { EnrolmentStore } from "../gateway/store/enrolmentStore.ts"
import { openEnrolmentStore } from "../gateway/store/openSerialStore.ts"
import { TESTNET_PRIVATE_KEY } from "../scripts/cli/testnet/account.ts"
import { anvilLedger, startAnvil } from "../test/helpers/anvil.ts"
import { median } from "./row.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    enrolments: { type: "string", default: "16" },
    connections: { type: "string", default: "8" },
  },
})
const SECONDS = Number(values.minutes) * 60
const YEAR = 365 * 86_400
/** The gateway's maxAgeSeconds, and how long the ledger is away. */
const MAX_AGE = 10
const AWAY = MAX_AGE + 20
/** Requests that were sent and clocks that differ. */
const TOLERANCE = 5
/** Of so many certificates is asked: openssl takes its time to write a question. */
const MOST_ASKED = 200
/** What memory may grow by between the first and the last third. */
const GROWTH = 1.25

const plain = new PlainAgent({ keepAlive: true, maxSockets: 64 })
const tls = new TlsAgent({ keepAlive: true, maxSockets: 64, rejectUnauthorized: false })
/** OCSP requests, by fingerprint. */
const requests = new Map<string, Buffer>()

const folder = mkdtempSync(join(tmpdir(), "fleetroot-soak-"))
const at = (name: string): string => join(folder, name)
const [ledgerPort, plainPort, tlsPort] = [await freePort(), await freePort(), await freePort()]
const anvilOptions = ["--slots-in-an-epoch", "1", "--block-time", "1", "--state", at("chain.json")]
let node = await startAnvil(anvilOptions, ledgerPort)
let gateway: ReturnType<typeof startGateway> | undefined
let store: EnrolmentStore | undefined
try {
  process.exitCode = (await soak()) ? 0 : 1
} finally {
  gateway?.kill("SIGKILL")
  await store?.close()
  await node.close()
  rmSync(folder, { recursive: true, force: true })
}

async function soak(): Promise<boolean> {
  const net = await anvilLedger({ node })
  const { deployment } = net
  const maker = await net.admit("Soak Works")
  const signer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer })
  const now = await net.now()
  const subject = { commonName: "Soak CA" }
  const common = { subject, issuer: subject, spki: signer.spki, signer, serial: Uint8Array.of(1), ca: true }
  const ca = await buildCertificate({ ...common, notBefore: now - 3_600, notAfter: now + YEAR })
  writeFileSync(at("ca.pem"), encodePem("CERTIFICATE", ca))
  writeFileSync(at("ca.key"), encodePem("PRIVATE KEY", await signer.exportPkcs8()), { mode: 0o600 })
  writeFileSync(at("net.json"), formatDeployment({ ...deployment, rpc: net.url }))
  openssl(
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout tls.key -out tls.pem",
  )

  gateway = startGateway(maker.manufacturerId)
  await ready()
  store = await openEnrolmentStore({ state: at("state"), deployment })
  const pid = gateway.pid ?? 0
  const enrolled: Certificate[] = []
  const first = await enrol(store, "device 0", Infinity)
  if (first !== undefined) enrolled.push(first)

  const began = Date.now()
  const end = began + SECONDS * 1000
  let stoppedAt = Infinity
  let startedAgainAt = Infinity
  const counts = { ocsp: 0, tryLater: 0, failed: 0, stale: 0 }
  const unanswered: string[] = []
  const memory: number[] = []
  let name = 1

  const enrolling = async (): Promise<void> => {
    while (Date.now() < end) {
      const commonName = `device ${name++}`
      const certificate = await enrol(store as EnrolmentStore, commonName, end + 90_000)
      if (certificate === undefined) unanswered.push(commonName)
      else enrolled.push(certificate)
    }
  }
  const asking = async (): Promise<void> => {
    while (Date.now() < end) {
      const about = enrolled[Math.floor(Math.random() * Math.min(enrolled.length, MOST_ASKED))] as Certificate
      const sentAt = Date.now()
      const status = await askOcsp(about).catch(() => "failed" as const)
      counts[status]++
      const silent = sentAt > stoppedAt + (MAX_AGE + TOLERANCE) * 1000 && Date.now() < startedAgainAt
      if (silent && status === "ocsp") counts.stale++
      if (status !== "ocsp") await sleep(20)
    }
  }
  const watching = async (): Promise<void> => {
    while (Date.now() < end) {
      memory.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024)
      await sleep(1_000)
    }
  }
  const breaking = async (): Promise<void> => {
    await sleep((SECONDS * 1000) / 2 - (AWAY * 1000) / 2)
    await node.stop()
    stoppedAt = Date.now()
    await sleep(AWAY * 1000)
    startedAgainAt = Date.now()
    node = await startAnvil(anvilOptions, ledgerPort)
  }
  const times = (count: string, work: () => Promise<void>): Promise<void>[] =>
    Array.from({ length: Number(count) }, work)
  await Promise.all([
    ...times(values.enrolments, enrolling),
    ...times(values.connections, asking),
    watching(),
    breaking(),
  ])

  const replica = await Replica.open({ deployment, rpc: net.rpc, store: memoryStore() })
  await replica.sync()
  const verifier = new Verifier({ ledger: replica, registrationFinality: "latest" })
  const bad: string[] = []
  for (const certificate of enrolled) {
    const answer = await fetch(`http://127.0.0.1:${plainPort}/receipts/${certificate.fingerprint.slice(2)}`)
    const receipt = new Uint8Array(await answer.arrayBuffer())
    const verdict = await verifier.checkCertificate(certificate.der, { receipt }).catch(() => undefined)
    if (verdict?.status !== "good") bad.push(`${certificate.fingerprint}: ${verdict?.reason ?? "no answer"}`)
  }
  const batches = [...replica.head.batches(maker.manufacturerId)]
  const anchored = batches.reduce((sum, { size }) => sum + size, 0)
  const serials = new Set(enrolled.map(({ serial }) => toHex(serial)))
  await replica.close()

  const third = Math.floor(memory.length / 3)
  const [early, late] = [median(memory.slice(third / 2, third)), median(memory.slice(-third))]
  gateway.kill("SIGTERM")
  const [code] = (await once(gateway, "exit")) as [number | null]
  const found = {
    minutes: SECONDS / 60,
    ledgerAwaySeconds: AWAY,
    enrolled: enrolled.length,
    unanswered: unanswered.length,
    anchored,
    batches: batches.length,
    doubled: enrolled.length - serials.size,
    notGood: bad.slice(0, 10),
    ocspAnswers: counts.ocsp,
    ocspTryLater: counts.tryLater,
    ocspFailed: counts.failed,
    ocspAnswersOfASilentLedger: counts.stale,
    memoryEarlyMiB: Math.round(early),
    memoryLateMiB: Math.round(late),
    gatewayExitCode: code,
  }
  console.log(JSON.stringify(found, null, 2))
  const whole = unanswered.length === 0 && anchored === enrolled.length && serials.size === enrolled.length
  const honest = bad.length === 0 && counts.stale === 0 && counts.tryLater > 0
  return whole && honest && late <= early * GROWTH && code === 0
}

function startGateway(manufacturerId: number): ReturnType<typeof spawn> {
  const main = fileURLToPath(new URL("../scripts/cli/main.ts", import.meta.url))
  const options = `gateway --state state --max-age ${MAX_AGE} --log-level error --manufacturer ${manufacturerId}`
  const issuer = "--issuer-cert ca.pem --issuer-key ca.key --tls-cert tls.pem --tls-key tls.key"
  writeFileSync(at("limits.json"), JSON.stringify({ limits: { clientRequestsPerSecond: 0 } }))
  const doors = `--config limits.json --listen 127.0.0.1:${plainPort} --tls-listen 127.0.0.1:${tlsPort}`
  const env = { ...process.env, FLEETROOT_DEPLOYMENT: "net.json", FLEETROOT_STATE: at("own") }
  return spawn(process.execPath, [main, ...`${options} ${issuer} ${doors}`.split(" ")], {
    cwd: folder,
    env: { ...env, FLEETROOT_PRIVATE_KEY: TESTNET_PRIVATE_KEY },
    stdio: ["ignore", "ignore", "inherit"],
  })
}

async function ready(): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${plainPort}/readyz`).catch(() => undefined)
    if (answer?.status === 200) return
    await sleep(100)
  }
}

type Reply = { status: number; headers: IncomingHttpHeaders; body: Buffer }

/** Asks until there is a certificate, as a device would; undefined when there was none by `until`. */
async function enrol(tokens: EnrolmentStore, commonName: string, until: number): Promise<Certificate | undefined> {
  const csr = await buildCsr({ subject: { commonName }, signer: await generateP256Key() })
  const { text } = await makeToken(tokens)
  const body = Buffer.from(Buffer.from(csr).toString("base64"))
  const headers = {
    "Content-Type": "application/pkcs10",
    Authorization: `Basic ${Buffer.from(`d:${text}`).toString("base64")}`,
  }
  const path = "/.well-known/est/simpleenroll"
  while (Date.now() < until) {
    const call = httpsRequest({ host: "127.0.0.1", port: tlsPort, method: "POST", path, headers, agent: tls })
    const reply = await exchange(call, body).catch(() => undefined)
    if (reply?.status === 200) return certificateIn(reply.body)
    if (reply !== undefined && reply.status !== 202 && reply.status !== 503) {
      throw new Error(`an enrolment got ${reply.status}: ${reply.body.toString()}`)
    }
    await sleep(1000 * Number(reply?.headers["retry-after"] ?? 1))
  }
  return undefined
}

/** The one certificate of a certs-only CMS in base64. */
function certificateIn(body: Buffer): Certificate {
  const input = Buffer.from(body.toString(), "base64")
  const { stdout } = spawnSync("openssl", ["pkcs7", "-inform", "DER", "-print_certs"], { input, encoding: "utf8" })
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----/.exec(stdout)?.[1] ?? ""
  return parseCertificate(new Uint8Array(Buffer.from(base64, "base64")))
}

async function askOcsp({ der, fingerprint }: Certificate): Promise<"ocsp" | "tryLater" | "failed"> {
  let body = requests.get(fingerprint)
  if (body === undefined) {
    writeFileSync(at("asked.pem"), encodePem("CERTIFICATE", der))
    openssl("ocsp -issuer ca.pem -cert asked.pem -no_nonce -reqout asked.der")
    body = readFileSync(at("asked.der"))
    requests.set(fingerprint, body)
  }
  const headers = { "Content-Type": "application/ocsp-request" }
  const call = httpRequest({ host: "127.0.0.1", port: plainPort, method: "POST", path: "/ocsp", headers, agent: plain })
  const reply = await exchange(call, body)
  // OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, … }: RFC 6960, 4.2.1.
  const tag = reply.body.indexOf(Buffer.from([0x0a, 0x01]))
  const status = reply.status === 200 && tag > 0 && tag < 6 ? reply.body[tag + 2] : undefined
  return status === 0 ? "ocsp" : status === 3 ? "tryLater" : "failed"
}

function exchange(call: ReturnType<typeof httpRequest>, body: Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    call.once("error", reject)
    call.once("response", (response) => {
      const pieces: Buffer[] = []
      response.on("data", (piece: Buffer) => pieces.push(piece))
      response.once("error", reject)
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) })
      })
    })
    call.end(body)
  })
}

function openssl(commandLine: string): void {
  const { status, stderr } = spawnSync("openssl", commandLine.split(" "), { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}
