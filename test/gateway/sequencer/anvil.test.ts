import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from "vitest"
import {
  buildCertificate,
  fromHex,
  LedgerWriter,
  ManufacturerClient,
  memoryJournal,
  RpcLedger,
  usedSeries,
} from "../../../client/index.ts"
import type { Hex, Journal, LedgerWriterOptions } from "../../../client/index.ts"
import { Sequencer } from "../../../gateway/sequencer/sequencer.ts"
import type { EnrolmentOutcome, SequencerEvent } from "../../../gateway/sequencer/sequencer.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import type { EnrolmentStore } from "../../../gateway/store/enrolmentStore.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { nowSeconds } from "../../helpers/fleet.ts"
import { payer } from "../../helpers/ledger.ts"
import { admitCa } from "../est/estBed.ts"
import type { TestCa } from "../est/estBed.ts"

const GWEI = 1_000_000_000n
/** Another program with the gateway's own key. */
const ACCOUNT = 3

let net: Awaited<ReturnType<typeof anvilLedger>>
let ca: TestCa
let manufacturerId: number
let folder: string
let store: EnrolmentStore
let sequencer: Sequencer
let journal: Journal
let events: SequencerEvent[]

beforeAll(async () => {
  net = await anvilLedger()
  ;({ ca, manufacturerId } = await admitCa(net))
  folder = mkdtempSync(join(tmpdir(), "fleetroot-anvil-"))
})
afterAll(async () => {
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  events = []
  journal = memoryJournal()
  store = await openSqliteEnrolmentStore(join(folder, `${Math.random()}.sqlite`), { deployment: net.deployment })
  await open()
  await net.ask("evm_setAutomine", false)
})
afterEach(async () => {
  await net.ask("evm_setAutomine", true)
  await net.ask("evm_mine")
  await sequencer.close()
  await store.close()
})

async function open(more: Partial<LedgerWriterOptions> = {}): Promise<void> {
  const { deployment, rpc } = net
  const ledger = new RpcLedger({ deployment, rpc })
  const quick = { raiseAfterSeconds: 0.3, receiptLagSeconds: 0.5 }
  const writer = new LedgerWriter({ deployment, rpc, payer: payer(ACCOUNT), journal, ...quick, ...more })
  sequencer = await Sequencer.open({
    store,
    ledger,
    clients: [new ManufacturerClient({ ledger, rpc, writer, manufacturerId })],
    manufacturerId,
    signer: ca.signer,
    windowMs: 20,
    watchMs: 100,
    report: (event) => events.push(event),
  })
}

let requests = 0
function enrol(): { id: Hex; outcome: Promise<EnrolmentOutcome>; isSettled: () => boolean } {
  requests += 1
  const id: Hex = `0x${requests.toString(16).padStart(64, "0")}`
  let settled = false
  const outcome = sequencer
    .enrol({
      requestId: id,
      names: [],
      ownsNames: true,
      make: (serial) =>
        buildCertificate({
          subject: { commonName: `device ${requests}` },
          issuer: ca.certificate,
          spki: ca.signer.spki,
          signer: ca.signer,
          serial,
          notBefore: nowSeconds() - 60,
          notAfter: nowSeconds() + 86_400,
        }),
    })
    .finally(() => (settled = true))
  outcome.catch(() => undefined)
  return { id, outcome, isSettled: () => settled }
}

type Pool = Record<"pending" | "queued", Record<string, Record<string, { nonce: Hex; maxFeePerGas: Hex; hash: Hex }>>>

/** What the node has of the account, by nonce. */
async function waiting(kind: keyof Pool): Promise<{ nonce: number; fee: bigint; hash: Hex }[]> {
  const pool = await net.ask<Pool>("txpool_content")
  const own = Object.entries(pool[kind]).find(([address]) => address.toLowerCase() === address_())?.[1] ?? {}
  return Object.values(own).map(({ nonce, maxFeePerGas, hash }) => ({
    nonce: Number(nonce),
    fee: BigInt(maxFeePerGas),
    hash,
  }))
}

const address_ = (): string => payer(ACCOUNT).address.toLowerCase()

async function nonce(): Promise<number> {
  return Number(await net.ask("eth_getTransactionCount", address_(), "latest"))
}

/** Sends nothing to nobody with this nonce, as another program that has the key. */
async function sendAsOther(at: number, feeWei: bigint): Promise<Hex> {
  const account = payer(ACCOUNT)
  if (!("signTransaction" in account)) throw new Error("the test accounts sign")
  const raw = await account.signTransaction({
    type: "eip1559",
    chainId: net.deployment.chainId,
    nonce: at,
    to: account.address,
    data: "0x",
    gas: 21_000n,
    maxFeePerGas: feeWei,
    maxPriorityFeePerGas: GWEI,
  })
  return net.ask<Hex>("eth_sendRawTransaction", raw)
}

/** The ledger has the request's batch, once, as it was written; and this many transactions were mined for it. */
async function expectAnchoredOnce(id: Hex): Promise<void> {
  const enrolment = (await store.byRequest(id))!
  expect(sequencer.isAnchored(enrolment)).toBe(true)
  const view = await net.freshView().at("latest")
  const registered = await usedSeries({ ledger: net.ledger, rpc: net.rpc }, view, manufacturerId)
  const { series, root } = enrolment.window
  expect(registered.filter((batch) => batch.root === root)).toEqual([{ series, root }])
  expect(fromHex(root)).toHaveLength(32)
}

describe("a sequencer whose transactions", () => {
  it("become too cheap while they wait offers more, and pays once", async () => {
    const before = await nonce()
    const { id, outcome, isSettled } = enrol()
    await expect.poll(() => waiting("pending"), { timeout: 20_000 }).toHaveLength(1)
    const [first] = await waiting("pending")
    // Ten times what it offers.
    await net.ask("anvil_setNextBlockBaseFeePerGas", `0x${((first?.fee ?? 0n) * 10n).toString(16)}`)
    await net.ask("evm_mine")
    expect([await nonce(), isSettled()]).toEqual([before, false])
    const fee = async (): Promise<bigint> => (await waiting("pending"))[0]?.fee ?? 0n
    await expect.poll(async () => (await fee()) > (first?.fee ?? 0n) * 9n, { timeout: 30_000 }).toBe(true)
    const again = setInterval(() => void net.ask("evm_mine").catch(() => undefined), 200)
    try {
      expect((await outcome).state).toBe("anchored")
    } finally {
      clearInterval(again)
    }
    expect(await nonce()).toBe(before + 1)
    await expectAnchoredOnce(id)
  })

  it("lose their nonce to another program's sends anew, and anchors once", async () => {
    const before = await nonce()
    const { id, outcome, isSettled } = enrol()
    await expect.poll(() => waiting("pending"), { timeout: 20_000 }).toHaveLength(1)
    const [own] = await waiting("pending")
    await sendAsOther(before, (own?.fee ?? 0n) * 20n)
    await net.ask("evm_mine")
    expect([await nonce(), isSettled()]).toEqual([before + 1, false])
    const again = setInterval(() => void net.ask("evm_mine").catch(() => undefined), 200)
    try {
      expect((await outcome).state).toBe("anchored")
    } finally {
      clearInterval(again)
    }
    expect(await nonce()).toBe(before + 2)
    await expectAnchoredOnce(id)
  })

  it("stand behind a gap of nonces fills it, and anchors once", async () => {
    const before = await nonce()
    const other = await sendAsOther(before, 10n * GWEI)
    const { id, outcome } = enrol()
    await expect.poll(() => waiting("pending"), { timeout: 20_000 }).toHaveLength(2)
    // The other program's transaction is dropped: ours has no predecessor any more.
    await net.ask("anvil_dropTransaction", other)
    const again = setInterval(() => void net.ask("evm_mine").catch(() => undefined), 200)
    try {
      expect((await outcome).state).toBe("anchored")
    } finally {
      clearInterval(again)
    }
    expect(await nonce()).toBe(before + 2)
    await expectAnchoredOnce(id)
  })

  it("are forgotten by a node that starts anew are offered again by the next run, and are mined once", async () => {
    const before = await nonce()
    const { id } = enrol()
    await expect.poll(() => waiting("pending"), { timeout: 20_000 }).toHaveLength(1)
    const [own] = await waiting("pending")
    const closing = sequencer.close()
    await net.ask("anvil_dropTransaction", own?.hash)
    await net.ask("evm_setAutomine", true)
    await closing
    await open()
    await expect.poll(async () => (await store.byRequest(id))?.window.state, { timeout: 30_000 }).toMatch(/mined|final/)
    expect(await nonce()).toBe(before + 1)
    await expectAnchoredOnce(id)
  })
})
