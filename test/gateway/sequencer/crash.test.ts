import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import { generateP256Key, MerkleTree, toHex, usedSeries } from "../../../client/index.ts"
import type { ExportableKeySigner, Hex, ManufacturerClient } from "../../../client/index.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { TEST_KEYS } from "../../helpers/ledger.ts"
import { requestId } from "./crashChild.ts"
import type { ChildOrders } from "./crashChild.ts"

/** Where a gateway can die, in the order in which it comes there. */
const STEPS = [
  "reserved",
  "claimed",
  "signed",
  "sealed",
  "anchoring",
  "signed transaction journalled",
  "transaction sent",
  "inBlock",
  "recorded",
  "handedOut",
  "final",
]
const RANDOM_KILLS = 50
const NEW_REQUESTS = 6

let net: Awaited<ReturnType<typeof anvilLedger>>
let maker: ManufacturerClient
let signer: ExportableKeySigner
let folder: string
/** What was handed out, by request. */
const handedOut = new Map<number, Set<string>>()
let requests = 0

beforeAll(async () => {
  net = await anvilLedger()
  maker = await net.admit("Acme")
  signer = await generateP256Key()
  const now = await net.now()
  await maker.addKey({
    signer,
    purpose: "issuer",
    notBefore: new Date((now - 10) * 1000),
    notAfter: new Date((now + 1e8) * 1000),
  })
  folder = mkdtempSync(join(tmpdir(), "fleetroot-crash-"))
})
afterAll(async () => {
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a gateway until it ends or is killed; says how it ended. */
async function runGateway(
  more: Pick<ChildOrders, "dieAt"> & { killAfterMs?: number },
): Promise<{ code: number | null; signal: NodeJS.Signals | null; errors: string }> {
  const { deployment, url } = net
  const { manufacturerId } = maker
  const issuer = Buffer.from(await signer.exportPkcs8()).toString("base64")
  const [, , payer = "0x"] = TEST_KEYS
  const orders: ChildOrders = { url, deployment, folder, manufacturerId, issuer, payer, requests, ...more }
  const path = join(folder, "orders.json")
  writeFileSync(path, JSON.stringify(orders), { mode: 0o600 })
  const child = spawn(process.execPath, [fileURLToPath(new URL("crashChild.ts", import.meta.url)), path])
  let errors = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text))
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (code, signal) => {
      resolve({ code, signal })
    })
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number, fingerprint] = line.split(" ")
    if (word === "ready" && more.killAfterMs !== undefined) setTimeout(() => child.kill("SIGKILL"), more.killAfterMs)
    if (word !== "got" || fingerprint === undefined) continue
    const had = handedOut.get(Number(number)) ?? new Set()
    handedOut.set(Number(number), had.add(fingerprint))
  }
  return { ...(await ended), errors }
}

it("leaves nothing unanchored and anchors nothing twice, wherever it is killed", async () => {
  for (const step of STEPS) {
    requests += NEW_REQUESTS
    // The second time where there is one: by then something stands.
    const { signal, errors } = await runGateway({ dieAt: { step, count: 1 } })
    expect({ step, signal, errors }).toEqual({ step, signal: "SIGKILL", errors: "" })
  }
  for (let kill = 0; kill < RANDOM_KILLS; kill++) {
    requests += NEW_REQUESTS
    const { errors } = await runGateway({ killAfterMs: Math.random() * 150 })
    expect(errors).toBe("")
  }
  expect(await runGateway({})).toEqual({ code: 0, signal: null, errors: "" })

  // Every request has one certificate, the one that was handed out each time that it was asked for.
  const store = await openSqliteEnrolmentStore(join(folder, "enrolments.sqlite"), { deployment: net.deployment })
  const view = await net.freshView().at("latest")
  const roots = new Map<number, { root: Hex; size: number }>()
  for (let number = 0; number < requests; number++) {
    const enrolment = await store.byRequest(requestId(number))
    expect([...(handedOut.get(number) ?? [])]).toEqual([enrolment?.fingerprint])
    if (enrolment !== undefined) roots.set(enrolment.window.series, enrolment.window)
  }

  // What is on the ledger is what was issued, no more and no less, each batch once.
  const registered = await usedSeries({ ledger: net.ledger, rpc: net.rpc }, view, maker.manufacturerId)
  expect(new Set(registered.map(({ series }) => series))).toEqual(new Set(roots.keys()))
  expect(registered.length).toBe(roots.size)
  expect(new Set(registered.map(({ root }) => root)).size).toBe(registered.length)
  let anchored = 0
  for (const [series, { root, size }] of roots) {
    const batch = await view.batch(maker.manufacturerId, series)
    const hashes = await store.credentialHashes({ manufacturerId: maker.manufacturerId, series })
    expect(batch).toMatchObject({ root, size, byKey: true })
    expect(toHex(MerkleTree.fromCredentialHashes(hashes).root())).toBe(root)
    anchored += size
  }
  expect(anchored).toBe(requests)
  await store.close()
}, 900_000)
