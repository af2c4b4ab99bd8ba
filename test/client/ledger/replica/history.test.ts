import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { jsonRpcFrom, memoryStore, ProvenLedger, Replica, RpcLedger } from "../../../../client/index.ts"
import type { Deployment, Hex, JsonRpc, LogState, ReplicaStore } from "../../../../client/index.ts"
import { readDeployment } from "../../../../scripts/deploy/readDeployment.ts"
import { makeHistory } from "../../../contracts/helpers/history.ts"
import type { History } from "../../../contracts/helpers/history.ts"
import { at, openStage, pseudoRandom } from "../../../contracts/helpers/stage.ts"
import type { Stage } from "../../../contracts/helpers/stage.ts"
import { expectSameAnswers } from "./sameAnswers.ts"
import type { Questions } from "./sameAnswers.ts"

const STEPS = 150

let stage: Stage
let rpc: JsonRpc
let deployment: Deployment
let history: History
let questions: Questions
let store: ReplicaStore
let replica: Replica
let ledger: RpcLedger
/** The times of all blocks. */
let times: number[]

beforeAll(async () => {
  stage = await openStage()
  rpc = jsonRpcFrom((call) => stage.provider.request(call), "embedded ledger")
  history = await makeHistory(stage, "replica 2", STEPS)
  const addresses = {
    access: stage.access.address,
    manufacturers: stage.manufacturers.address,
    devices: stage.devices.address,
  }
  deployment = await readDeployment(rpc, addresses, 0)
  questions = {
    manufacturers: [...history.manufacturers, 4],
    keyIndices: [1, 2, 3, 4, 5, 6, 7],
    series: [...history.series, 9],
    words: 2,
    places: [0, 1, 7, 40, 255, 256, 299],
    subjects: [...history.credentials, ...history.deviceKeyIds],
    accounts: history.operators,
    products: [],
    hasFirmware: false,
  }
  store = memoryStore()
  ledger = new RpcLedger({ deployment, rpc })
  replica = await Replica.open({ deployment, rpc, store })
  await replica.sync()
  const newest = Number(await rpc.request({ method: "eth_blockNumber", params: [] }))
  const numbers = Array.from({ length: newest + 1 }, (_, i) => i)
  const blocks = await rpc.requestMany(
    numbers.map((number) => ({ method: "eth_getBlockByNumber", params: [`0x${number.toString(16)}`, false] })),
  )
  times = blocks.map((block) => Number((block as { timestamp: Hex }).timestamp))
})
afterAll(() => stage.close())

describe("Replica, of a random history", () => {
  it("answers as the node does at the newest block", async () => {
    const { head } = await replica.heads("finalized")

    expect(replica.status.entries).toBeGreaterThan(STEPS)
    await expectSameAnswers(head, await ledger.at("latest"), questions)
  })

  it("answers as the node does at any time", async () => {
    for (let i = 4; i < times.length; i += 9) {
      const time = at(times, i)
      await expectSameAnswers(await replica.atTime(time), await ledger.atTime(time), questions)
    }
  })

  it("gives the same when its store is opened again, without a node", async () => {
    const silent: JsonRpc = { ...rpc, request: () => never(), requestMany: () => never() }
    const again = await Replica.open({ deployment, rpc: silent, store })

    await expectSameAnswers(await again.at("latest"), await replica.at("latest"), questions)
    expect(again.status).toEqual(replica.status)
  })

  it("gives the same when its heads are compared by state proof", async () => {
    const proven = await Replica.open({
      deployment,
      rpc,
      store: memoryStore(),
      trust: new ProvenLedger({ deployment, rpc }),
    })
    const { evidence } = await proven.sync()

    expect(evidence).toEqual({ kind: "replica", detail: expect.stringContaining("proven against that hash") })
    await expectSameAnswers(await proven.at("latest"), await replica.at("latest"), questions)
  })

  it("verifies", async () => {
    const report = await replica.verify()

    expect(report.entries).toBe(replica.status.entries)
    // Three manufacturers, the one that would be next, and the registry itself, in both registries.
    expect(report.logs).toBe(10)
  })
})

describe("FleetState, of a random history", () => {
  it("lists what it has", () => {
    const { head } = replica
    for (const id of history.manufacturers) {
      expect([...head.keys(id)]).toEqual(questions.keyIndices.flatMap((index) => head.key(id, index) ?? []))
      const batches = [...head.batches(id)]
      expect(new Set(batches)).toEqual(new Set(history.series.flatMap((series) => head.batch(id, series) ?? [])))
      expect(batches.map(({ registeredAt }) => registeredAt)).toEqual(
        batches.map(({ registeredAt }) => registeredAt).sort((a, b) => a - b),
      )
      const records = [...head.records(id)]
      expect(records.length).toBeGreaterThan(3)
      for (const record of records) expect(head.record(id, record.subject)).toEqual(record)
    }
    expect([...head.manufacturers()].map(({ id }) => id)).toEqual(history.manufacturers)
  })

  it("tells single bits as it tells words, and all at once", () => {
    const random = pseudoRandom("times")
    const states = [
      replica.head,
      ...Array.from({ length: 12 }, () => replica.stateAt(at(times, 4 + random(times.length - 4)))),
    ]
    let set = 0
    for (const state of states) {
      for (const id of history.manufacturers) {
        for (const series of history.series) {
          const bits = state.batchBits(id, series)
          for (let index = 0; index < history.size; index++) {
            const told = ((state.word(id, series, index >> 8) >> BigInt(index & 255)) & 1n) === 1n
            expect(state.bit(id, series, index)).toBe(told)
            expect(((bits?.[index >> 3] ?? 0) >> (index & 7)) & 1).toBe(told ? 1 : 0)
            expect(state.bitRevocation(id, series, index) !== undefined).toBe(told)
            set += told ? 1 : 0
          }
        }
      }
    }
    expect(set).toBeGreaterThan(20)
  })

  it("has no bit outside of a batch", () => {
    const { head } = replica
    const [id] = history.manufacturers as [number]
    for (const index of [-1, 0.5, history.size, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(head.bit(id, 1, index)).toBe(false)
      expect(head.placeMark(id, 1, index)).toBeUndefined()
      expect(head.bitRevocation(id, 1, index)).toBeUndefined()
    }
    expect(head.bit(99, 1, 0)).toBe(false)
    expect(head.bit(id, 77, 0)).toBe(false)
  })

  it("bars the places that bits and marked subjects name", () => {
    for (const state of [
      replica.head,
      ...times
        .slice(20)
        .filter((_, i) => i % 17 === 0)
        .map((time) => replica.stateAt(time)),
    ]) {
      for (const id of history.manufacturers) {
        for (const series of history.series) {
          const marks = [...state.placeMarks(id, series)]
          expect(marks.map(({ index }) => index)).toEqual(
            [...new Set(marks.map(({ index }) => index))].sort((a, b) => a - b),
          )
          for (const mark of marks) expect(state.placeMark(id, series, mark.index)).toEqual(mark)
          expect(
            marks.filter(({ subject }) => subject !== undefined).every((mark) => isMarked(state, id, mark.subject)),
          ).toBe(true)
          for (let index = 0; index < history.size; index++) {
            if (state.bit(id, series, index)) expect(state.placeMark(id, series, index)?.mark).toBe("revoked")
          }
        }
      }
    }
  })
})

function isMarked(state: LogState, manufacturerId: number, subject: Hex | undefined): boolean {
  return subject !== undefined && state.record(manufacturerId, subject).mark !== "none"
}

function never(): Promise<never> {
  return Promise.reject(new Error("the network was asked"))
}
