import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import {
  buildCertificate,
  buildCsr,
  encodePem,
  generateP256Key,
  memoryStore,
  parseCertificate,
  Replica,
  RpcLedger,
  Verifier,
} from "../../../client/index.ts"
import type { Certificate, ExportableKeySigner, KeySigner, ManufacturerClient } from "../../../client/index.ts"
import { estRoutes, receiptRoutes } from "../../../gateway/est/index.ts"
import type { EstContext, EstEvent, EstLabel } from "../../../gateway/est/index.ts"
import type { HttpAnswer, HttpRequest, Route } from "../../../gateway/http/route.ts"
import { openHttpServer } from "../../../gateway/http/httpServer.ts"
import type { HttpServer } from "../../../gateway/http/httpServer.ts"
import type { TlsCredentials } from "../../../gateway/http/tlsOptions.ts"
import { Sequencer } from "../../../gateway/sequencer/sequencer.ts"
import type { SequencerContext, SequencerEvent } from "../../../gateway/sequencer/sequencer.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import type { EnrolmentStore } from "../../../gateway/store/enrolmentStore.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const YEAR = 365 * 86_400
/** Where the issuer's certificates say that they can be checked. */
export const CRL_URL = "http://127.0.0.1:9/crl/ca.crl"
export const OCSP_URL = "http://127.0.0.1:9/ocsp"

/** A CA whose key is on the ledger. */
export type TestCa = { readonly certificate: Certificate; readonly signer: ExportableKeySigner }

/** Admits a manufacturer whose issuer key is on the ledger. */
export async function admitCa(
  net: TestLedger,
  name = "Acme",
): Promise<{ ca: TestCa; maker: ManufacturerClient; manufacturerId: number }> {
  const maker = await net.admit(name)
  const signer = await generateP256Key()
  const now = await net.now()
  await maker.addKey({
    signer,
    purpose: "issuer",
    notBefore: new Date((now - 10) * 1000),
    notAfter: new Date((now + YEAR) * 1000),
  })
  const subject = { organization: name, commonName: `${name} Devices` }
  const der = await buildCertificate({
    subject,
    issuer: subject,
    spki: signer.spki,
    signer,
    serial: Uint8Array.of(0x11, 0x01),
    notBefore: now - 3_600,
    notAfter: now + YEAR,
    ca: { pathLength: 0 },
  })
  return { ca: { certificate: parseCertificate(der), signer }, maker, manufacturerId: maker.manufacturerId }
}

/** An EST server of one label over a ledger in this process, and what stands behind it. */
export class EstBed {
  readonly net: TestLedger
  readonly ca: TestCa
  readonly maker: ManufacturerClient
  readonly manufacturerId: number
  readonly replica: Replica
  readonly folder: string
  readonly events: (EstEvent | SequencerEvent)[]
  store: EnrolmentStore
  sequencer: Sequencer
  routes: Route[] = []
  context: EstContext
  #server: HttpServer | undefined
  #syncing = true
  #synced: Promise<void> | undefined

  private constructor(
    parts: Pick<
      EstBed,
      "net" | "ca" | "maker" | "manufacturerId" | "replica" | "folder" | "store" | "sequencer" | "events"
    >,
  ) {
    this.net = parts.net
    this.ca = parts.ca
    this.maker = parts.maker
    this.manufacturerId = parts.manufacturerId
    this.replica = parts.replica
    this.folder = parts.folder
    this.store = parts.store
    this.events = parts.events
    this.sequencer = parts.sequencer
    this.context = this.contextWith({})
    this.use({})
  }

  static async start(
    sequencer: Partial<SequencerContext> = {},
    openStore: typeof openSqliteEnrolmentStore = openSqliteEnrolmentStore,
  ): Promise<EstBed> {
    const net = await freshLedger()
    const { ca, maker, manufacturerId } = await admitCa(net)
    const folder = mkdtempSync(join(tmpdir(), "fleetroot-est-"))
    const store = await openStore(join(folder, "enrolments.sqlite"), { deployment: net.deployment })
    const { deployment, rpc } = net
    const replica = await Replica.open({ deployment, rpc, store: memoryStore(), now: () => net.clock })
    await replica.sync()
    const events: (EstEvent | SequencerEvent)[] = []
    const opened = await Sequencer.open({
      store,
      ledger: new RpcLedger({ deployment, rpc }),
      clients: [maker],
      manufacturerId,
      signer: ca.signer,
      windowMs: 20,
      watchMs: 50,
      now: () => net.clock,
      report: (event) => events.push(event),
      ...sequencer,
    })
    return new EstBed({ net, ca, maker, manufacturerId, replica, folder, store, sequencer: opened, events })
  }

  /** Settings of the label and of EST for what follows. */
  use(label: Partial<EstLabel>, context: Partial<EstContext> = {}): void {
    this.context = this.contextWith(label, context)
    this.routes = [...estRoutes(this.context), ...receiptRoutes({ store: this.store, deployment: this.net.deployment })]
  }

  contextWith(label: Partial<EstLabel>, context: Partial<EstContext> = {}): EstContext {
    const { certificate, signer } = this.ca
    const one: EstLabel = {
      label: "",
      certificate,
      signer,
      sequencer: this.sequencer,
      crlUrl: CRL_URL,
      aiaOcsp: OCSP_URL,
      validitySeconds: 30 * 86_400,
      ...label,
    }
    return {
      labels: [one],
      store: this.store,
      replica: this.replica,
      verifier: new Verifier({ ledger: this.replica, now: () => this.net.clock }),
      now: () => this.net.clock,
      report: (event) => this.events.push(event),
      ...context,
    }
  }

  /** Brings replica and clocks up to the newest block. */
  async catchUp(): Promise<void> {
    await this.net.pass(1)
    await this.replica.sync()
  }

  /** Asks a route as the listener does. */
  async ask(path: string, request: Partial<HttpRequest> = {}): Promise<HttpAnswer & { text: string }> {
    const route = this.routes.find((one) => (one.path.endsWith("/") ? path.startsWith(one.path) : path === one.path))
    if (route === undefined) throw new Error(`nothing is at ${path}`)
    const answer = await route.handle({
      method: route.methods[0] ?? "GET",
      path,
      query: new URLSearchParams(),
      headers: {},
      body: new Uint8Array(0),
      clientCertificate: undefined,
      secure: true,
      remoteAddress: "127.0.0.1",
      signal: new AbortController().signal,
      ...request,
    })
    const { body } = answer
    if (!(body instanceof Uint8Array)) throw new Error("EST answers are whole")
    return { ...answer, text: Buffer.from(body).toString("utf8") }
  }

  /** Sends a request as EST wants it. */
  async enrol(
    operation: string,
    csr: Uint8Array,
    by: { token?: string; certificate?: Uint8Array } = {},
  ): Promise<HttpAnswer & { text: string }> {
    return this.ask(`/.well-known/est/${operation}`, {
      method: "POST",
      body: new TextEncoder().encode(Buffer.from(csr).toString("base64")),
      headers: {
        "content-type": "application/pkcs10",
        ...(by.token === undefined ? {} : { authorization: basic(by.token) }),
      },
      ...(by.certificate === undefined ? {} : { clientCertificate: by.certificate }),
    })
  }

  /** Serves all routes with TLS until the bed is closed; keeps clock and replica going meanwhile. */
  async serve(): Promise<{ url: string; port: number; root: string }> {
    const { root, ...tls } = await serverFor("localhost")
    this.#server = await openHttpServer({
      routes: this.routes,
      tls: { host: "127.0.0.1", port: 0, ...tls },
      log: pino({ level: "silent" }),
    })
    this.#synced = this.#followChain()
    const port = Number(new URL(this.#server.tlsUrl ?? "").port)
    return { url: `https://localhost:${port}`, port, root }
  }

  async #followChain(): Promise<void> {
    while (this.#syncing) {
      await this.net.syncClock()
      await this.replica.sync()
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
    }
  }

  async close(): Promise<void> {
    this.#syncing = false
    await this.#server?.close(0)
    await this.#synced
    await this.sequencer.close()
    await this.replica.close()
    await this.store.close()
    await this.net.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Authorization of somebody with a token. */
export function basic(token: string): string {
  return `Basic ${Buffer.from(`est:${token}`).toString("base64")}`
}

/** A device's request for a certificate. */
export async function deviceCsr(
  commonName: string,
  signer?: KeySigner,
  extensions: Parameters<typeof buildCsr>[0]["extensions"] = [],
): Promise<{ csr: Uint8Array; signer: KeySigner }> {
  const key = signer ?? (await generateP256Key())
  return { csr: await buildCsr({ subject: { commonName }, signer: key, extensions }), signer: key }
}

/** The one certificate in an answer of EST. */
export function certificateIn(answer: { text: string }): Certificate {
  const cms = new Uint8Array(Buffer.from(answer.text, "base64"))
  const start = Buffer.from(cms).indexOf(Buffer.from([0xa0]), 30)
  return parseCertificate(cms.slice(start + 4, certificateEnd(cms, start + 4)))
}

function certificateEnd(cms: Uint8Array, start: number): number {
  return start + 4 + ((cms[start + 2] as number) << 8) + (cms[start + 3] as number)
}

/** A server's certificate below a root of its own, since some clients take no CA for a server. */
async function serverFor(name: string): Promise<TlsCredentials & { root: string }> {
  const [ca, signer] = [await generateP256Key(), await generateP256Key()]
  const now = Math.floor(Date.now() / 1000)
  const issuer = { commonName: `${name} root` }
  const common = { issuer, signer: ca, notBefore: now - 3600, notAfter: now + 3600 }
  const root = await buildCertificate({
    ...common,
    subject: issuer,
    spki: ca.spki,
    serial: Uint8Array.of(0x11),
    ca: true,
  })
  // SubjectAltName with one dNSName.
  const value = new Uint8Array([0x30, name.length + 2, 0x82, name.length, ...new TextEncoder().encode(name)])
  const der = await buildCertificate({
    ...common,
    subject: { commonName: name },
    spki: signer.spki,
    serial: Uint8Array.of(0x12),
    purposes: ["1.3.6.1.5.5.7.3.1"],
    extensions: [{ oid: "2.5.29.17", critical: false, value }],
  })
  return {
    root: encodePem("CERTIFICATE", root),
    certificate: encodePem("CERTIFICATE", der),
    key: encodePem("PRIVATE KEY", await signer.exportPkcs8()),
  }
}
