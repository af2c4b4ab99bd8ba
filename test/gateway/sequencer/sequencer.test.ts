import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import {
  buildCertificate,
  encodePositionSerial,
  fromHex,
  LedgerWriter,
  ManufacturerClient,
  memoryJournal,
  MerkleTree,
  parseCertificate,
  RpcLedger,
  StateFolderError,
  toHex,
  usedSeries,
} from "../../../client/index.ts"
import type { Hex, JournalEntry, JsonRpc } from "../../../client/index.ts"
import {
  CsrSubjectTakenError,
  EnrolmentInterruptedError,
  EnrolmentQueueFullError,
  EnrolmentStoreError,
  EnrolmentStoreForeignError,
} from "../../../gateway/errors/enrolment.ts"
import { Sequencer } from "../../../gateway/sequencer/sequencer.ts"
import type { EnrolmentRequest, SequencerContext, SequencerEvent } from "../../../gateway/sequencer/sequencer.ts"
import { openPostgresEnrolmentStore } from "../../../gateway/store/enrolmentPostgres.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import type { EnrolmentStore } from "../../../gateway/store/enrolmentStore.ts"
import { freshLedger, payer } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { nowSeconds } from "../../helpers/fleet.ts"
import { TestPostgres } from "../../helpers/postgres.ts"
import { admitCa } from "../est/estBed.ts"
import type { TestCa } from "../est/estBed.ts"

let net: TestLedger
let ca: TestCa
let manufacturerId: number
let postgres: TestPostgres
let folder: string
const undo: (() => Promise<void>)[] = []

beforeAll(async () => {
  net = await freshLedger()
  postgres = await TestPostgres.start()
  ;({ ca, manufacturerId } = await admitCa(net))
  folder = mkdtempSync(join(tmpdir(), "fleetroot-sequencer-"))
})
afterAll(async () => {
  await postgres.remove()
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

let stores = 0
async function sqlite(): Promise<EnrolmentStore> {
  stores += 1
  return openSqliteEnrolmentStore(join(folder, `${stores}.sqlite`), { deployment: net.deployment })
}

type Opened = { sequencer: Sequencer; store: EnrolmentStore; events: SequencerEvent[]; steps: (step: string) => number }

/** A gateway's sequencer, with an account of its own. */
async function open(
  options: Partial<SequencerContext> & { account?: number; rpc?: JsonRpc; writer?: object } = {},
): Promise<Opened> {
  const { account = 1, rpc = net.rpc, writer: more = {}, ...rest } = options
  const store = options.store ?? (await sqlite())
  const { deployment } = net
  const ledger = new RpcLedger({ deployment, rpc })
  const writer = new LedgerWriter({ deployment, rpc, payer: payer(account), journal: memoryJournal(), ...more })
  const events: SequencerEvent[] = []
  const sequencer = await Sequencer.open({
    store,
    ledger,
    clients: [new ManufacturerClient({ ledger, rpc, writer, manufacturerId })],
    manufacturerId,
    signer: ca.signer,
    windowMs: 20,
    watchMs: 40,
    report: (event) => events.push(event),
    ...rest,
  })
  undo.push(async () => {
    await sequencer.close()
    if (options.store === undefined) await store.close()
  })
  const steps = (step: string): number => events.filter((event) => event.kind === "step" && event.step === step).length
  return { sequencer, store, events, steps }
}

let requests = 0
function request(more: Partial<EnrolmentRequest> & { id?: Hex } = {}): EnrolmentRequest {
  requests += 1
  const name = `device ${requests}`
  return {
    requestId: more.id ?? `0x${requests.toString(16).padStart(64, "0")}`,
    names: [],
    ownsNames: true,
    make: (serial) =>
      buildCertificate({
        subject: { commonName: name },
        issuer: ca.certificate,
        spki: ca.signer.spki,
        signer: ca.signer,
        serial,
        notBefore: nowSeconds() - 60,
        notAfter: nowSeconds() + 86_400,
      }),
    ...more,
  }
}

/** A node whose answers are changed; everything else goes through. */
function faulty(change: (method: string, answer: () => Promise<unknown>) => Promise<unknown>): JsonRpc {
  return {
    endpoint: net.rpc.endpoint,
    request: (call) => change(call.method, () => net.rpc.request(call)),
    requestMany: (calls) => net.rpc.requestMany(calls),
  }
}

async function batches(): Promise<number> {
  const view = await net.freshView().at("latest")
  return (await usedSeries({ ledger: net.ledger, rpc: net.rpc }, view, manufacturerId)).length
}

describe("a sequencer", () => {
  it("anchors all that come in a window with one transaction", async () => {
    const { sequencer, store, steps } = await open({ windowMs: 400 })
    const before = await batches()
    const all = Array.from({ length: 40 }, () => request())
    const outcomes = await Promise.all(all.map((one) => sequencer.enrol(one)))
    expect(outcomes.every(({ state }) => state === "anchored")).toBe(true)
    expect(await batches()).toBe(before + 1)
    expect(steps("sealed")).toBe(1)
    const places = await Promise.all(all.map(async ({ requestId }) => (await store.byRequest(requestId))?.index))
    expect(new Set(places)).toEqual(new Set(places.keys()))
  })

  it("splits what is more than a batch may have", async () => {
    const { sequencer } = await open({ windowMs: 60_000, windowSize: 5 })
    const before = await batches()
    await Promise.all(Array.from({ length: 10 }, () => sequencer.enrol(request())))
    expect(await batches()).toBe(before + 2)
  })

  it("hands out nothing before its batch is in a block", async () => {
    const { sequencer, store } = await open()
    await net.ask("evm_setAutomine", false)
    const one = request()
    let settled = false
    const outcome = sequencer.enrol(one).finally(() => (settled = true))
    await expect.poll(async () => (await store.byRequest(one.requestId))?.window.state).toBe("sealed")
    expect(settled).toBe(false)
    await net.ask("evm_setAutomine", true)
    await net.ask("evm_mine")
    expect((await outcome).state).toBe("anchored")
  })

  it("gives one certificate for one request, whoever asks how often", async () => {
    const { sequencer } = await open()
    const one = request()
    const [first, second] = await Promise.all([sequencer.enrol(one), sequencer.enrol(one)])
    expect(first).toBe(second)
  })

  it("takes no more than it can hold", async () => {
    const { sequencer } = await open({ queueLimit: 3 })
    await net.ask("evm_setAutomine", false)
    const three = [1, 2, 3].map(() => sequencer.enrol(request()))
    await expect(sequencer.enrol(request())).rejects.toThrow(EnrolmentQueueFullError)
    await net.ask("evm_setAutomine", true)
    await net.ask("evm_mine")
    await Promise.all(three)
    await sequencer.enrol(request())
  })

  it("gives places to the others when one cannot be signed", async () => {
    const { sequencer, store } = await open({ windowMs: 100 })
    const broken = request({ make: async () => Promise.reject(new Error("the HSM is away")) })
    const sound = request()
    const results = await Promise.allSettled([sequencer.enrol(broken), sequencer.enrol(sound)])
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled"])
    expect((await store.byRequest(sound.requestId))?.window.size).toBe(1)
    expect(await store.byRequest(broken.requestId)).toBeUndefined()
    // What failed may be asked for again.
    expect((await sequencer.enrol(request({ id: broken.requestId }))).state).toBe("anchored")
  })

  it("gives a name to one of two", async () => {
    const { sequencer } = await open({ windowMs: 100 })
    const names: Hex[] = [`0x${"ab".repeat(32)}`]
    const two = [request({ names, ownsNames: false }), request({ names, ownsNames: false })]
    const results = await Promise.allSettled(two.map((one) => sequencer.enrol(one)))
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    await expect(sequencer.enrol(request({ names, ownsNames: false }))).rejects.toThrow(CsrSubjectTakenError)
    expect((await sequencer.enrol(request({ names, ownsNames: true }))).state).toBe("anchored")
  })

  it("registers again what a reorganisation takes away", async () => {
    const { sequencer, store, steps } = await open({ finality: "latest", ledger: lagging(net) })
    const snapshot = await net.ask("evm_snapshot")
    const one = request()
    await sequencer.enrol(one)
    const place = (await store.byRequest(one.requestId))!.window
    await net.ask("evm_revert", snapshot)
    const there = async (): Promise<Hex | undefined> =>
      (await net.freshView().at("latest")).batch(manufacturerId, place.series).then((batch) => batch?.root)
    await expect.poll(there, { timeout: 30_000 }).toBe(place.root)
    // The ledger has it a moment before the sequencer has heard of that.
    await expect.poll(() => steps("inBlock"), { timeout: 30_000 }).toBe(2)
  })

  it("gives nobody a certificate whose block a reorganisation took away, until it is back", async () => {
    let cutOff = false
    const rpc = faulty(async (method, answer) => {
      if (cutOff && method === "eth_sendRawTransaction") throw new Error("connection refused")
      return answer()
    })
    const { sequencer, store } = await open({ ledger: lagging(net), rpc })
    const snapshot = await net.ask("evm_snapshot")
    const one = request()
    await sequencer.enrol(one)
    expect(sequencer.isAnchored((await store.byRequest(one.requestId))!)).toBe(true)
    cutOff = true
    await net.ask("evm_revert", snapshot)
    const state = async (): Promise<unknown> => (await store.byRequest(one.requestId))?.window.state
    await expect.poll(state, { timeout: 20_000 }).toBe("displaced")
    expect(sequencer.isAnchored((await store.byRequest(one.requestId))!)).toBe(false)
    // Whoever has it has it: it is not forgotten, as what nobody was given is.
    const { window } = (await store.byRequest(one.requestId))!
    expect(await store.abandon(window, "sealed")).toBe(false)
    cutOff = false
    await expect.poll(state, { timeout: 30_000 }).toBe("mined")
    expect(
      (
        await net
          .freshView()
          .at("latest")
          .then((view) => view.batch(manufacturerId, window.series))
      )?.root,
    ).toBe(window.root)
  })

  it("keeps nobody waiting for a batch that the contract will never take", async () => {
    const store = await sqlite()
    undo.push(() => store.close())
    const owner = "gateway"
    const series = await store.openWindow({
      manufacturerId,
      issuerKeyId: ca.signer.keyId,
      owner,
      leaseUntil: nowSeconds() + 600,
      firstSeries: 0x8000_8000,
    })
    const late = request()
    const place = { manufacturerId, series }
    await store.claim(place, [late])
    const { place: root, ...certificate } = await certificateFor(late, series)
    // Its certificates have ended while no gateway ran.
    await store.seal({ ...place, owner, root: root.root, notAfter: 1_000, certificates: [certificate] })
    const { sequencer, events } = await open({ store, owner })
    await expect.poll(() => events.some(({ kind }) => kind === "retry"), { timeout: 20_000 }).toBe(true)
    expect((await sequencer.enrol(request())).state).toBe("anchored")
    expect(sequencer.isAnchored((await store.byRequest(late.requestId))!)).toBe(false)
  })

  it("waits for finality where that is wanted", async () => {
    const ledger = lagging(net)
    const { sequencer, store } = await open({ finality: "finalized", ledger })
    const one = request()
    let settled = false
    const outcome = sequencer.enrol(one).finally(() => (settled = true))
    await expect.poll(async () => (await store.byRequest(one.requestId))?.window.state).toBe("mined")
    expect(settled).toBe(false)
    ledger.settle()
    expect((await outcome).state).toBe("anchored")
    expect((await store.byRequest(one.requestId))?.window.state).toBe("final")
  })

  it("gives up a series that somebody else used, and the next request gets another", async () => {
    const store = await sqlite()
    undo.push(() => store.close())
    const { sequencer } = await open({ store, windowMs: 300 })
    const lost = sequencer.enrol(request())
    // Another gateway with the same key and a store of its own is quicker.
    const other = await open({ windowMs: 1 })
    await other.sequencer.enrol(request())
    await expect(lost).rejects.toThrow(EnrolmentInterruptedError)
    expect((await sequencer.enrol(request())).state).toBe("anchored")
  })
})

describe("a sequencer on a faulty node", () => {
  it("sends again what the node lost, for more", async () => {
    let swallowed = 0
    const rpc = faulty(async (method, answer) => {
      if (method === "eth_sendRawTransaction" && swallowed < 2) {
        swallowed += 1
        return `0x${"00".repeat(32)}`
      }
      return answer()
    })
    const { sequencer } = await open({ rpc, writer: { raiseAfterSeconds: 0.2 } })
    expect((await sequencer.enrol(request())).state).toBe("anchored")
    expect(swallowed).toBe(2)
  })

  it("waits while gas costs more than allowed, and goes on when it is cheaper", async () => {
    let dear = true
    const rpc = faulty(async (method, answer) => {
      const honest = await answer()
      if (!dear || method !== "eth_getBlockByNumber") return honest
      return { ...(honest as object), baseFeePerGas: "0xffffffffffff" }
    })
    const { sequencer, events } = await open({ rpc, writer: { feeCapWei: 100_000_000_000n } })
    const outcome = sequencer.enrol(request())
    await expect.poll(() => events.some(({ kind }) => kind === "retry"), { timeout: 20_000 }).toBe(true)
    dear = false
    expect((await outcome).state).toBe("anchored")
  })

  it("is patient with a node that is away, and anchors once", async () => {
    let away = true
    const rpc = faulty(async (method, answer) => {
      if (away && method === "eth_sendRawTransaction") {
        // It came through; the answer did not.
        await answer()
        throw new Error("connection reset")
      }
      return answer()
    })
    const before = await batches()
    const { sequencer, events } = await open({ rpc })
    const outcome = sequencer.enrol(request())
    await expect.poll(() => events.some(({ kind }) => kind === "retry"), { timeout: 20_000 }).toBe(true)
    away = false
    expect((await outcome).state).toBe("anchored")
    expect(await batches()).toBe(before + 1)
  })

  it("sends nothing that its journal has no room for, and anchors once when there is room", async () => {
    let full = true
    const kept = memoryJournal()
    const refuse = (): void => {
      if (full) throw new StateFolderError({ path: "journal.sqlite", reason: "database or disk is full" })
    }
    const journal = {
      ...kept,
      put: async (entry: JournalEntry) => {
        refuse()
        await kept.put(entry)
      },
      remove: async (id: Hex) => {
        refuse()
        await kept.remove(id)
      },
    }
    const sent: string[] = []
    const rpc = faulty(async (method, answer) => {
      if (method === "eth_sendRawTransaction") sent.push(method)
      return answer()
    })
    const { sequencer, store, events } = await open({ rpc, writer: { journal } })
    const before = await batches()
    const one = request()
    let settled = false
    const outcome = sequencer.enrol(one).finally(() => (settled = true))
    const refused = (): boolean =>
      events.some((event) => event.kind === "retry" && event.error instanceof StateFolderError)
    await expect.poll(refused, { timeout: 20_000 }).toBe(true)
    expect([sent.length, settled, await batches()]).toEqual([0, false, before])
    expect((await store.byRequest(one.requestId))?.window.state).toBe("sealed")
    full = false
    expect((await outcome).state).toBe("anchored")
    expect(await batches()).toBe(before + 1)
  })

  it("finds another nonce when its own was taken", async () => {
    let taken = false
    const rpc = faulty(async (method, answer) => {
      if (method === "eth_sendRawTransaction" && !taken) {
        taken = true
        // The very account sends something else meanwhile.
        const account = payer(2)
        await net.rpc.request({
          method: "eth_sendTransaction",
          params: [{ from: account.address, to: account.address, value: "0x0" }],
        })
      }
      return answer()
    })
    const { sequencer } = await open({ rpc, account: 2 })
    expect((await sequencer.enrol(request())).state).toBe("anchored")
    expect(taken).toBe(true)
  })
})

describe("two gateways on one PostgreSQL", () => {
  it("enrol side by side without issuing twice", async () => {
    const { deployment } = net
    const stores = await Promise.all([0, 1].map(() => openPostgresEnrolmentStore(postgres.url, { deployment })))
    const gateways: Opened[] = []
    for (const [i, store] of stores.entries()) {
      gateways.push(await open({ store, owner: `gateway ${i}`, account: 1 + i, windowMs: 30 }))
    }
    undo.unshift(async () => {
      for (const store of stores) await store.close()
    })
    // Most requests come to both, some to one alone.
    const all = Array.from({ length: 120 }, () => request())
    const alone = gateways.map(({ sequencer }) => Array.from({ length: 20 }, () => sequencer.enrol(request())))
    const outcomes = await Promise.all(all.flatMap((one) => gateways.map(({ sequencer }) => sequencer.enrol(one))))
    expect(outcomes.filter(({ state }) => state === "anchored").length).toBeGreaterThanOrEqual(all.length)
    const [store] = stores
    const enrolments = await Promise.all(all.map(({ requestId }) => store!.byRequest(requestId)))
    expect(new Set(enrolments.map((one) => one?.fingerprint)).size).toBe(all.length)
    const handedOut = new Set(outcomes.flatMap((one) => (one.state === "anchored" ? [one.fingerprint] : [])))
    expect(handedOut.size).toBe(all.length)
    for (const outcome of await Promise.all(alone.flat())) expect(outcome.state).toBe("anchored")
    const owners = gateways.map((gateway) => gateway.steps("sealed"))
    expect(Math.min(...owners)).toBeGreaterThan(0)

    // What each anchored is on the ledger as it was sealed, and nothing else is.
    const view = await net.freshView().at("latest")
    for (const window of new Map(enrolments.map((one) => [one!.window.series, one!.window])).values()) {
      expect((await view.batch(manufacturerId, window.series))?.root).toBe(window.root)
      expect((await store!.credentialHashes(window)).length).toBe(window.size * 32)
    }
  })

  it("take over what a dead one left behind", async () => {
    const { deployment } = net
    const store = await openPostgresEnrolmentStore(postgres.url, { deployment })
    undo.push(() => store.close())
    const open_ = {
      manufacturerId,
      issuerKeyId: ca.signer.keyId,
      owner: "dead",
      leaseUntil: 1,
      firstSeries: 0x8000_4000,
    }
    const sealed = { manufacturerId, series: await store.openWindow(open_) }
    const [one, two] = [request(), request()]
    await store.claim(sealed, [one])
    const { place, ...certificate } = await certificateFor(one, sealed.series)
    await store.seal({
      ...sealed,
      owner: "dead",
      root: place.root,
      notAfter: nowSeconds() + 86_400,
      certificates: [certificate],
    })
    const opened = { manufacturerId, series: await store.openWindow(open_) }
    await store.claim(opened, [two])
    expect(await store.isClaimed(two.requestId)).toBe(true)

    const { sequencer } = await open({ store, owner: "alive" })
    await expect
      .poll(async () => (await store.byRequest(one.requestId))?.window.state, { timeout: 20_000 })
      .toMatch(/mined|final/)
    expect((await sequencer.enrol(two)).state).toBe("anchored")
  })

  it("hand out nothing when the database goes between a batch's block and the record of it, and all when it is back", async () => {
    const { deployment } = net
    const store = await openPostgresEnrolmentStore(postgres.url, { deployment })
    undo.push(() => store.close())
    // What the ledger was told, the store does not hear of.
    let crashed = false
    const events: SequencerEvent[] = []
    const report = (event: SequencerEvent): void => void events.push(event)
    const rpc = faulty(async (method, answer) => {
      if (method === "eth_sendRawTransaction" && !crashed) {
        crashed = true
        await postgres.down()
      }
      return answer()
    })
    const { sequencer } = await open({ store, owner: "mid-way", rpc, report })
    const before = await batches()
    const one = request()
    let settled = false
    const outcome = sequencer.enrol(one).finally(() => (settled = true))
    const refused = (): boolean => events.some((event) => event.kind === "retry" && event.what === "anchor")
    await expect.poll(refused, { timeout: 30_000 }).toBe(true)
    expect([await batches(), settled]).toEqual([before + 1, false])
    await expect(sequencer.enrol(request())).rejects.toThrow(EnrolmentStoreError)

    await postgres.up()
    expect((await outcome).state).toBe("anchored")
    expect(await batches()).toBe(before + 1)
    expect((await store.byRequest(one.requestId))?.window.state).toMatch(/mined|final/)
  })

  it("issue nothing when the database goes before certificates are written", async () => {
    const { deployment } = net
    const store = await openPostgresEnrolmentStore(postgres.url, { deployment })
    undo.push(() => store.close())
    const { sequencer } = await open({ store, owner: "cut off", leaseSeconds: 8 })
    const before = await batches()
    const one = request()
    const cut = request({
      id: one.requestId,
      make: async (serial) => {
        await postgres.down()
        return one.make(serial)
      },
    })
    await expect(sequencer.enrol(cut)).rejects.toThrow(EnrolmentStoreError)
    await postgres.up()
    expect(await store.byRequest(one.requestId)).toBeUndefined()
    // Its place is given up soon, and then it is asked for anew.
    await expect.poll(() => store.isClaimed(one.requestId), { timeout: 60_000 }).toBe(false)
    expect((await sequencer.enrol(one)).state).toBe("anchored")
    expect(await batches()).toBe(before + 1)
  })

  it("say so when the database is gone, and go on when it is back", async () => {
    const { deployment } = net
    const store = await openPostgresEnrolmentStore(postgres.url, { deployment })
    undo.push(() => store.close())
    const { sequencer } = await open({ store, owner: "patient" })
    await sequencer.enrol(request())
    await postgres.down()
    await expect(sequencer.enrol(request())).rejects.toThrow(EnrolmentStoreError)
    await postgres.up()
    expect((await sequencer.enrol(request())).state).toBe("anchored")
  })
})

describe("a store of enrolments", () => {
  it.each(["SQLite", "PostgreSQL"])("lets a name go only when nobody has it any more, in %s", async (kind) => {
    const { deployment } = net
    const store = kind === "SQLite" ? await sqlite() : await openPostgresEnrolmentStore(postgres.url, { deployment })
    undo.push(() => store.close())
    const window = async (): Promise<{ manufacturerId: number; series: number }> => {
      const common = { manufacturerId, issuerKeyId: ca.signer.keyId, owner: "names", leaseUntil: 1, firstSeries: 1 }
      return { manufacturerId, series: await store.openWindow(common) }
    }
    const names: Hex[] = [`0x${kind === "SQLite" ? "c1" : "c2"}${"00".repeat(31)}`]
    const stranger = (): EnrolmentRequest => request({ names, ownsNames: false })
    const [first, second, third] = [await window(), await window(), await window()]
    expect(await store.claim(first, [stranger()])).toEqual(["claimed"])
    // Its owner, by a token for this subject, gets the same name in another window.
    expect(await store.claim(second, [request({ names, ownsNames: true })])).toEqual(["claimed"])
    await store.abandon(first, "open")
    expect(await store.claim(third, [stranger()])).toEqual(["nameTaken"])
    await store.abandon(second, "open")
    expect(await store.claim(third, [stranger()])).toEqual(["claimed"])
  })

  it("belongs to one deployment", async () => {
    const path = join(folder, "foreign.sqlite")
    await (await openSqliteEnrolmentStore(path, { deployment: net.deployment })).close()
    const other = { ...net.deployment, chainId: 999 }
    await expect(openSqliteEnrolmentStore(path, { deployment: other })).rejects.toThrow(EnrolmentStoreForeignError)
    await expect(openSqliteEnrolmentStore(folder, { deployment: other })).rejects.toThrow(EnrolmentStoreError)
  })
})

async function certificateFor(
  one: EnrolmentRequest,
  series: number,
): Promise<Parameters<EnrolmentStore["seal"]>[0]["certificates"][number] & { place: { root: Hex } }> {
  const { chainId, contracts } = net.deployment
  const serial = encodePositionSerial({
    chainId: BigInt(chainId),
    registry: contracts.devices.address,
    issuerKeyId: ca.signer.keyId,
    manufacturerId,
    series,
    index: 0,
  })
  const { der, fingerprint, credentialHash, keyId: deviceKeyId } = parseCertificate(await one.make(serial))
  const root = toHex(MerkleTree.fromCredentialHashes([fromHex(credentialHash)]).root())
  const { requestId } = one
  const issued = {
    requestId,
    index: 0,
    fingerprint,
    credentialHash,
    deviceKeyId,
    der,
    issuedAt: 1,
    replaces: undefined,
  }
  return { ...issued, place: { root } }
}

/** A ledger whose final block stays where it is until it is told to settle. */
function lagging(net: TestLedger): RpcLedger & { settle(): void } {
  let settled = false
  const ledger = new RpcLedger({ deployment: net.deployment, rpc: net.rpc })
  const start = ledger.at("latest")
  return Object.assign(Object.create(ledger) as RpcLedger, {
    deployment: net.deployment,
    at: async (finality: "latest" | "safe" | "finalized") =>
      finality === "latest" || settled
        ? new RpcLedger({ deployment: net.deployment, rpc: net.rpc }).at(finality)
        : start,
    settle: () => {
      settled = true
    },
  })
}
