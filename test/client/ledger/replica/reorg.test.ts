import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { FleetStateUndoneError, generateP256Key, memoryStore, Replica, toHex } from "../../../../client/index.ts"
import type {
  FleetChange,
  Hex,
  JsonRpc,
  KeySigner,
  ManufacturerClient,
  RpcCall,
  RpcLedger,
} from "../../../../client/index.ts"
import { anvilLedger } from "../../../helpers/anvil.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"
import { hashOf, pseudoRandom } from "../../../contracts/helpers/stage.ts"
import { expectSameAnswers } from "./sameAnswers.ts"
import type { Questions } from "./sameAnswers.ts"

/** Anvil calls a block final two epochs later. */
const EPOCH = 12
const FINAL_AFTER = 2 * EPOCH
const DEPTHS = [1, 2, 5, 20]
const FAR = 4_000_000_000
const SIZE = 600

let net: TestLedger
let maker: ManufacturerClient
let issuer: KeySigner
const subjects = Array.from({ length: 40 }, (_, i) => hashOf(`device ${i}`))
let questions: Questions

beforeAll(async () => {
  net = await anvilLedger({ epoch: EPOCH })
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  await register(1)
  await mine(FINAL_AFTER)
  questions = {
    manufacturers: [1, 2],
    keyIndices: [1, 2],
    series: Array.from({ length: 12 }, (_, i) => i + 1),
    words: 3,
    places: [0, 255, 256, SIZE - 1],
    subjects,
    accounts: [],
    products: [],
    hasFirmware: false,
  }
})
afterAll(() => net.close())

async function register(series: number): Promise<void> {
  const root = toHex(crypto.getRandomValues(new Uint8Array(32)))
  await maker.registerBatch({ root, size: SIZE, notAfter: FAR, issuerKeyId: issuer.keyId, series })
}

async function mine(blocks: number): Promise<void> {
  await net.ask("anvil_mine", `0x${blocks.toString(16)}`)
}

async function reorganise(depth: number): Promise<void> {
  await net.ask("anvil_reorg", depth, [])
}

/** A replica whose trust remembers nothing, so that what it says of finality is its own. */
function open(options: { rpc?: JsonRpc; store?: ReturnType<typeof memoryStore> } = {}): Promise<Replica> {
  const { rpc = net.rpc, store = memoryStore() } = options
  const { deployment } = net
  const trust = { deployment, heads: forgetful("heads"), at: forgetful("at"), atTime: forgetful("atTime") }
  return Replica.open({ deployment, rpc, store, trust, retryMs: 1 })
}

function forgetful<name extends "heads" | "at" | "atTime">(name: name): RpcLedger[name] {
  const ask = (...args: never[]): unknown => (net.freshView()[name] as (...given: never[]) => unknown)(...args)
  return ask as RpcLedger[name]
}

async function expectUpToDate(replica: Replica): Promise<void> {
  const told = await net.freshView().heads("finalized")
  const found = await replica.heads("finalized")
  await expectSameAnswers(found.head, told.head, questions)
  await expectSameAnswers(found.settled, told.settled, questions)
  expect([found.head.block.hash, found.settled.block.hash]).toEqual([told.head.block.hash, told.settled.block.hash])
}

describe("Replica, when blocks are taken back", () => {
  it.each(DEPTHS)("takes back what was in them, %i deep, and says so", async (depth) => {
    const replica = await open()
    await replica.sync()
    const before = replica.head
    const subject = hashOf(`taken back ${depth}`)
    await maker.revoke([{ subject, series: 1, index: depth }], { reason: 1 })
    if (depth > 1) await mine(depth - 1)
    await replica.sync()
    const { head, settled } = replica
    expect(head.record(1, subject).mark).toBe("revoked")
    expect(head.placeMark(1, 1, depth)).toMatchObject({ mark: "revoked", subject })
    const changes: FleetChange[][] = []
    replica.onChange((list) => changes.push([...list]))

    await reorganise(depth)
    const report = await replica.sync()

    expect(report).toMatchObject({ undone: 1, added: 0 })
    expect(replica.head.record(1, subject).mark).toBe("none")
    expect(replica.head.placeMark(1, 1, depth)).toBeUndefined()
    expect(changes).toEqual([
      [
        { kind: "subject", manufacturerId: 1, subject },
        { kind: "places", manufacturerId: 1, series: 1, first: depth, last: depth },
      ],
    ])
    // What stood on the lost blocks answers no more; what stood on older ones does, as ever.
    expect(() => head.record(1, subject)).toThrow(FleetStateUndoneError)
    expect(() => head.bit(1, 1, 0)).toThrow(FleetStateUndoneError)
    expect(() => [...head.placeMarks(1, 1)]).toThrow(FleetStateUndoneError)
    expect(before.record(1, subject).mark).toBe("none")
    expect(settled.record(1, subject).mark).toBe("none")
    await expectUpToDate(replica)
  })

  it("stays right through many of them, also when opened again in between", async () => {
    const random = pseudoRandom("reorganisations")
    const store = memoryStore()
    let replica = await open({ store })
    let undone = 0
    let series = 2
    const acts: (() => Promise<unknown>)[] = [
      async () => register(series++),
      async () => maker.revokePlaces(1, [random(SIZE), random(SIZE), random(SIZE)], 4),
      async () =>
        maker.revoke([{ subject: subjects[random(20)] as Hex, series: 1, index: random(SIZE) }], { reason: 1 }),
      async () => {
        const subject = subjects[20 + random(20)] as Hex
        const record = await (await net.freshView().at("latest")).record(1, subject)
        return record.mark === "held"
          ? maker.unhold([{ subject }])
          : maker.hold([{ subject, series: 1, index: random(SIZE) }])
      },
      async () => mine(1 + random(6)),
    ]
    for (let round = 0; round < 40; round++) {
      // What is refused, because it was done before, changes nothing.
      for (let i = random(4); i >= 0; i--) await acts[random(acts.length)]?.().catch(() => undefined)
      if (random(2) === 0) await replica.sync()
      if (random(2) === 0) await reorganise(1 + random(20))
      if (random(5) === 0) replica = await open({ store })
      undone += (await replica.sync()).undone
      if (round % 4 === 3) await expectUpToDate(replica)
    }
    await mine(FINAL_AFTER)
    await replica.sync()
    await expectUpToDate(replica)
    expect(undone).toBeGreaterThan(10)
  })

  it.each([1, 20])("comes through one of depth %i in the middle of a sync", async (depth) => {
    let armed = true
    const during = async (calls: readonly RpcCall[]): Promise<void> => {
      if (!armed || calls.every(({ method }) => method !== "eth_getLogs")) return
      armed = false
      await reorganise(depth)
    }
    const rpc: JsonRpc = {
      endpoint: net.rpc.endpoint,
      request: async (call) => {
        await during([call])
        return net.rpc.request(call)
      },
      requestMany: async (calls) => {
        const replies = await net.rpc.requestMany(calls)
        await during(calls)
        return replies
      },
    }
    const replica = await open({ rpc })
    await maker.revoke([{ subject: hashOf(`in the middle ${depth}`) }], { reason: 1 })
    await mine(2)
    // The first try ends in the one or the other error, or it notices nothing since it was about other blocks.
    await replica.sync().catch(() => undefined)
    await replica.sync()

    expect(armed).toBe(false)
    await expectUpToDate(replica)
  })

  it("counts a revocation at once and a registration when it is final", async () => {
    const replica = await open()
    await register(101)
    await maker.revokePlaces(101, [7], 4)
    await replica.sync()
    expect(replica.settled.batch(1, 101)).toBeUndefined()
    expect(replica.settled.bit(1, 101, 7)).toBe(false)
    expect(replica.head.bit(1, 101, 7)).toBe(true)
    const changes: FleetChange[] = []
    replica.onChange((list) => changes.push(...list))

    await mine(1)
    await replica.sync()
    expect(changes).toEqual([])
    // What becomes final does so together with news that is final already when it is read.
    await register(102)
    await mine(FINAL_AFTER)
    await replica.sync()

    expect(replica.settled.batch(1, 101)).toMatchObject({ size: SIZE, revokedCount: 1 })
    expect(replica.settled.bit(1, 101, 7)).toBe(true)
    for (const series of [101, 102]) {
      expect(changes).toContainEqual({ kind: "batch", manufacturerId: 1, series })
    }
    expect(changes).toContainEqual({ kind: "places", manufacturerId: 1, series: 101, first: 7, last: 7 })
  })

  it("answers nothing once a final block is gone, until everything is read anew", async () => {
    const store = memoryStore()
    const replica = await open({ store })
    await replica.sync()
    const { number } = replica.settled.block
    await reorganise(FINAL_AFTER + 2)
    await mine(FINAL_AFTER)

    await expect(replica.sync()).rejects.toMatchObject({ code: "FINALITY_VIOLATED", block: number })
    expect(() => replica.head).toThrow(expect.objectContaining({ code: "FINALITY_VIOLATED" }))
    // Opened again it knows what was compared, and finds out anew.
    const again = await open({ store })
    await expect(again.sync()).rejects.toMatchObject({ code: "FINALITY_VIOLATED" })
    await again.clear()
    expect(() => again.head).toThrow(expect.objectContaining({ code: "REPLICA_NOT_SYNCED" }))
    await again.sync()
    await expectUpToDate(again)
  })
})
