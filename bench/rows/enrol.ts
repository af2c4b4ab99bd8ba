import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  buildCertificate,
  buildCsr,
  generateP256Key,
  httpRpc,
  LedgerWriter,
  ManufacturerClient,
  memoryStore,
  parseCertificate,
  Replica,
  RpcLedger,
  usedSeries,
  Verifier,
} from "../../client/index.ts"
import { openJournal } from "../../client/node/index.ts"
import { estRoutes, makeToken } from "../../gateway/est/index.ts"
import type { HttpAnswer, Route } from "../../gateway/http/route.ts"
import { Sequencer } from "../../gateway/sequencer/sequencer.ts"
import { openSqliteEnrolmentStore } from "../../gateway/store/enrolmentSqlite.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { payer } from "../../test/helpers/ledger.ts"
import { quantile, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"

const BLOCK_SECONDS = 2
const YEAR = 365 * 86_400

/**
 * Enrolments that come all at once, on a chain with a block every two seconds: from the certificate request to the certificate that is
 * anchored. Through EST with one-time tokens, without TLS and sockets; store and journal on disk.
 */
export async function enrol({ quick }: GroupOptions): Promise<Measured> {
  const count = quick ? 200 : 5_000
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-bench-"))
  const net = await anvilLedger()
  const { deployment } = net
  const maker = await net.admit("Acme Works")
  const signer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer })
  const now = await net.now()
  const { manufacturerId } = maker
  const subject = { commonName: "Bench CA" }
  const common = { subject, issuer: subject, spki: signer.spki, signer, serial: Uint8Array.of(1), ca: true }
  const der = await buildCertificate({ ...common, notBefore: now - 3_600, notAfter: now + YEAR })

  const rpc = httpRpc(net.url)
  const store = await openSqliteEnrolmentStore(join(folder, "enrolments.sqlite"), { deployment })
  const account = payer(2)
  const address = account.address.toLowerCase() as `0x${string}`
  const journal = await openJournal({ folder, deployment, account: address, purpose: "bench" })
  const ledger = new RpcLedger({ deployment, rpc })
  const writer = new LedgerWriter({ deployment, rpc, payer: account, journal })
  const replica = await Replica.open({ deployment, rpc, store: memoryStore() })
  await replica.sync()
  const client = new ManufacturerClient({ ledger, rpc, writer, manufacturerId })
  const sequencer = await Sequencer.open({ store, ledger, clients: [client], manufacturerId, signer })
  const label = { label: "", certificate: parseCertificate(der), signer, sequencer }
  const verifier = new Verifier({ ledger: replica })
  const routes = estRoutes({ labels: [label], store, replica, verifier, maxAgeSeconds: 600, holdMs: 60_000 })
  const route = routes.find(({ path }) => path.endsWith("/simpleenroll")) as Route

  const requests = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const csr = await buildCsr({ subject: { commonName: `device ${i}` }, signer: await generateP256Key() })
      const { text } = await makeToken(store)
      return {
        body: Buffer.from(Buffer.from(csr).toString("base64")),
        token: Buffer.from(`d:${text}`).toString("base64"),
      }
    }),
  )
  try {
    await net.ask("evm_setIntervalMining", BLOCK_SECONDS)
    const startedAt = performance.now()
    const seconds = await Promise.all(
      requests.map(async ({ body, token }) => {
        const answer = await ask(route, body, token)
        if (answer.status !== 200) throw new Error(`an enrolment got ${answer.status}`)
        return (performance.now() - startedAt) / 1000
      }),
    )
    const whole = Math.max(...seconds)
    const batches = await usedSeries({ ledger, rpc }, await ledger.at("latest"), manufacturerId)
    return [
      row("enrolments a second, all at once", count / whole, "1/s"),
      row("transactions for them", batches.length, "transactions"),
      row("from request to anchored certificate, p99", quantile(seconds, 0.99), "s", { atMost: 3 * BLOCK_SECONDS }),
      row("from request to anchored certificate, median", quantile(seconds, 0.5), "s"),
    ]
  } finally {
    await sequencer.close()
    await replica.close()
    await store.close()
    journal.close()
    await net.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ask(route: Route, body: Uint8Array, token: string): Promise<HttpAnswer> {
  return route.handle({
    method: "POST",
    path: route.path,
    query: new URLSearchParams(),
    headers: { "content-type": "application/pkcs10", authorization: `Basic ${token}` },
    body,
    clientCertificate: undefined,
    secure: true,
    remoteAddress: "127.0.0.1",
    signal: new AbortController().signal,
  })
}
