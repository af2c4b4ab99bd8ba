import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  checkSnapshot,
  encodeSnapshot,
  jsonRpcFrom,
  makeSnapshot,
  memoryStore,
  PlaceSet,
  placeStatus,
  ProvenLedger,
  readSnapshot,
  Replica,
  RpcLedger,
  SnapshotState,
} from "../../../../client/index.ts"
import type {
  Deployment,
  FleetState,
  JsonRpc,
  Ledger,
  Snapshot,
  SnapshotManufacturer,
} from "../../../../client/index.ts"
import {
  SnapshotBlockError,
  SnapshotContentError,
  SnapshotForeignError,
  SnapshotMismatchError,
  SnapshotSubjectError,
  SnapshotUncheckableError,
} from "../../../../client/errors/snapshot.ts"
import { HistoryUnavailableError } from "../../../../client/errors/ledger.ts"
import { readDeployment } from "../../../../scripts/deploy/readDeployment.ts"
import { makeHistory } from "../../../contracts/helpers/history.ts"
import type { History } from "../../../contracts/helpers/history.ts"
import { openStage } from "../../../contracts/helpers/stage.ts"
import type { Stage } from "../../../contracts/helpers/stage.ts"

let stage: Stage
let rpc: JsonRpc
let deployment: Deployment
let history: History
let replica: Replica
let ledger: RpcLedger
let snapshot: Snapshot

beforeAll(async () => {
  stage = await openStage()
  rpc = jsonRpcFrom((call) => stage.provider.request(call), "embedded ledger")
  history = await makeHistory(stage, "snapshots 1", 200)
  const addresses = {
    access: stage.access.address,
    manufacturers: stage.manufacturers.address,
    devices: stage.devices.address,
  }
  deployment = await readDeployment(rpc, addresses, 0)
  ledger = new RpcLedger({ deployment, rpc })
  replica = await Replica.open({ deployment, rpc, store: memoryStore() })
  await replica.sync()
  snapshot = readSnapshot(encodeSnapshot(makeSnapshot(replica.head, deployment)))
})
afterAll(() => stage.close())

/** The ledger by a node that has no old states. */
function forgetful(): Ledger {
  return {
    deployment,
    at: (finality) => ledger.at(finality),
    heads: (finality) => ledger.heads(finality),
    atTime: () => Promise.reject(new HistoryUnavailableError({ what: "the past" })),
  }
}

/** Every answer about devices that both pictures must give alike. */
function expectSamePicture(one: FleetState, other: FleetState): void {
  expect([...one.manufacturers()]).toEqual([...other.manufacturers()])
  for (const { id } of other.manufacturers()) {
    expect([...one.keys(id)]).toEqual([...other.keys(id)])
    const batches = [...other.batches(id)]
    const bySeries = (batch: { series: number }, next: { series: number }): number => batch.series - next.series
    expect([...one.batches(id)].toSorted(bySeries)).toEqual(batches.toSorted(bySeries))
    for (const { series, size } of batches) expectSamePlaces(one, other, { id, series, size })
    for (const record of other.records(id)) expect(one.record(id, record.subject)).toEqual(record)
    expect([...one.records(id)]).toHaveLength([...other.records(id)].length)
    for (const contract of ["manufacturers", "devices"] as const) {
      expect(one.logHead(contract, id)).toEqual(other.logHead(contract, id))
    }
    for (const key of other.keys(id)) expect(one.keyById(key.keyId)).toEqual(other.keyById(key.keyId))
  }
}

function expectSamePlaces(
  one: FleetState,
  other: FleetState,
  { id, series, size }: { id: number; series: number; size: number },
): void {
  for (let word = 0; word * 256 < size; word++) expect(one.word(id, series, word)).toBe(other.word(id, series, word))
  const [listed, expected] = [[...one.placeMarks(id, series)], [...other.placeMarks(id, series)]]
  expect(listed.map(({ index, mark }) => [index, mark])).toEqual(expected.map(({ index, mark }) => [index, mark]))
  for (let index = 0; index <= size; index += size > 1000 ? 17 : 1) {
    expect(one.bit(id, series, index)).toBe(other.bit(id, series, index))
    const [mark, truth] = [one.placeMark(id, series, index), other.placeMark(id, series, index)]
    expect(mark?.mark).toBe(truth?.mark)
    if (truth?.subject !== undefined) expect(mark).toEqual(truth)
    const ask = { manufacturerId: id, series, index }
    const [status, settled] = [
      placeStatus({ head: one, settled: one, ...ask }),
      placeStatus({ head: other, settled: other, ...ask }),
    ]
    expect([status.status, status.refusal]).toEqual([settled.status, settled.refusal])
  }
}

describe("a snapshot of a random history", () => {
  it("answers about devices as the replica it was made of", () => {
    expectSamePicture(new SnapshotState(snapshot), replica.head)
    expect(snapshot.manufacturers.some(({ records }) => records.length > 3)).toBe(true)
    const batches = snapshot.manufacturers.flatMap((entry) => entry.batches)
    expect(batches.some(({ bits }) => bits.count > 3)).toBe(true)
    expect(batches.some(({ marked }) => marked.count > 0)).toBe(true)
  })

  it("does so at any time", () => {
    const { timestamp: last } = replica.settled.block
    const first = Math.min(...[...replica.head.batches(1)].map(({ registeredAt }) => registeredAt))
    for (let i = 1; i <= 8; i++) {
      const state = replica.stateAt(Math.floor(first + ((last - first) * i) / 8))
      const made = readSnapshot(encodeSnapshot(makeSnapshot(state, deployment)))
      expectSamePicture(new SnapshotState(made), state)
    }
  })

  it("may be of one manufacturer, and then knows no other", () => {
    const [one, other] = history.manufacturers as [number, number]
    const made = readSnapshot(encodeSnapshot(makeSnapshot(replica.head, deployment, { manufacturerId: one })))
    const state = new SnapshotState(made)
    expect(state.manufacturer(one)).toEqual(replica.head.manufacturer(one))
    expect(state.manufacturer(other)).toBeUndefined()
    expect(() => state.logHead("devices", other)).toThrow(SnapshotContentError)
    expect(() => state.releases()).toThrow(SnapshotContentError)
    expect(() => makeSnapshot(replica.head, deployment, { manufacturerId: 99 })).toThrow(SnapshotSubjectError)
  })
})

describe("checkSnapshot", () => {
  it("confirms what a replica leads to, bit for bit", async () => {
    const check = await checkSnapshot(snapshot, replica)
    expect(check).toMatchObject({ compared: "everything", behind: 0, blockConfirmed: true })
  })

  it("confirms each statement with a node, and says no more", async () => {
    const check = await checkSnapshot(snapshot, ledger)
    expect(check).toMatchObject({ compared: "statements", behind: 0, blockConfirmed: true })
    const { records, words, batches } = check
    expect(records).toBe(snapshot.manufacturers.reduce((sum, entry) => sum + entry.records.length, 0))
    expect(Math.min(words, batches, records)).toBeGreaterThan(0)
  })

  it("confirms the heads alone, where no more is asked", async () => {
    const forged = withBits((bits) => without(bits))
    expect(await checkSnapshot(forged, ledger, { headsOnly: true })).toMatchObject({ compared: "heads", words: 0 })
  })

  it("takes a state proof for it", async () => {
    const proven = new ProvenLedger({ deployment, rpc })
    const check = await checkSnapshot(snapshot, proven)
    expect(check).toMatchObject({ compared: "statements", blockConfirmed: true })
    expect(check.evidence.detail).toContain("proven")
  })

  type Entry = SnapshotManufacturer
  const withEntry = (change: (entry: Entry) => Entry): Snapshot => {
    const busiest = snapshot.manufacturers.toSorted((one, other) => other.records.length - one.records.length)[0]
    return {
      ...snapshot,
      manufacturers: snapshot.manufacturers.map((entry) => (entry === busiest ? change(entry) : entry)),
    }
  }
  const withBits = (change: (bits: PlaceSet) => PlaceSet): Snapshot =>
    withEntry((entry) => {
      const target = entry.batches.find(({ bits }) => bits.count > 0) ?? entry.batches[0]
      const batches = entry.batches.map((each) => {
        if (each !== target) return each
        const bits = change(each.bits)
        return { ...each, bits, batch: { ...each.batch, revokedCount: each.batch.revokedCount } }
      })
      return { ...entry, batches }
    })
  const without = (bits: PlaceSet): PlaceSet => PlaceSet.of(bits.size, [...bits.members()].slice(1))
  const withOneMore = (bits: PlaceSet): PlaceSet => {
    const free = Array.from({ length: bits.size }, (_, i) => i).find((index) => !bits.has(index)) as number
    return PlaceSet.of(
      bits.size,
      [...bits.members(), free].toSorted((one, other) => one - other),
    )
  }
  const withFirst = <Item>(
    items: readonly Item[],
    change: (item: Item) => Item,
    wanted: (item: Item) => boolean = () => true,
  ): Item[] => {
    const target = items.find(wanted)
    expect(target).toBeDefined()
    return items.map((item) => (item === target ? change(item) : item))
  }

  const FORGERIES: [what: string, forge: () => Snapshot][] = [
    ["a revoked place left out", () => withBits(without)],
    ["a place too many", () => withBits(withOneMore)],
    [
      "a batch's root",
      () =>
        withEntry((e) => ({
          ...e,
          batches: withFirst(e.batches, (b) => ({ ...b, batch: { ...b.batch, root: `0x${"12".repeat(32)}` } })),
        })),
    ],
    [
      "a batch's time",
      () =>
        withEntry((e) => ({
          ...e,
          batches: withFirst(e.batches, (b) => ({
            ...b,
            batch: { ...b.batch, registeredAt: b.batch.registeredAt - 1 },
          })),
        })),
    ],
    [
      "a batch that is not there",
      () =>
        withEntry((e) => ({
          ...e,
          batches: withFirst(e.batches, (b) => ({ ...b, batch: { ...b.batch, series: 77 } })),
        })),
    ],
    [
      "a mark taken off a record",
      () =>
        withEntry((e) => ({
          ...e,
          records: withFirst(
            e.records,
            (r) => ({ ...r, mark: "none" }),
            ({ mark }) => mark !== "none",
          ),
        })),
    ],
    [
      "a revocation made a hold",
      () =>
        withEntry((e) => ({
          ...e,
          records: withFirst(
            e.records,
            (r) => ({ ...r, mark: "held" }),
            ({ mark }) => mark === "revoked",
          ),
        })),
    ],
    [
      "a key's compromise hidden or made up",
      () =>
        withEntry((e) => ({
          ...e,
          keys: withFirst(e.keys, (k) => ({
            ...k,
            compromisedSince: k.compromisedSince === undefined ? 1 : undefined,
          })),
        })),
    ],
    ["a key left out", () => withEntry((e) => ({ ...e, keys: e.keys.slice(1) }))],
    [
      "a manufacturer's status",
      () =>
        withEntry((e) => ({
          ...e,
          manufacturer: { ...e.manufacturer, status: e.manufacturer.status === "active" ? "left" : "active" },
        })),
    ],
    [
      "a log head",
      () =>
        withEntry((e) => ({ ...e, logHeads: { ...e.logHeads, devices: { head: `0x${"12".repeat(32)}`, length: 1 } } })),
    ],
    [
      "a log's length",
      () =>
        withEntry((e) => ({
          ...e,
          logHeads: { ...e.logHeads, devices: { head: e.logHeads.devices!.head, length: 0 } },
        })),
    ],
    ["a manufacturer left out", () => ({ ...snapshot, manufacturers: snapshot.manufacturers.slice(0, -1) })],
  ]

  it.each(FORGERIES)("finds out, with a node and with a replica: %s", async (_what, forge) => {
    for (const reader of [ledger, replica] as Ledger[]) {
      await expect(checkSnapshot(forge(), reader)).rejects.toThrow(SnapshotMismatchError)
    }
  })

  const OMISSIONS: [what: string, forge: () => Snapshot][] = [
    ["a record left out", () => withEntry((e) => dropRecord(e))],
    ["a batch left out", () => withEntry((e) => ({ ...e, batches: e.batches.slice(1) }))],
    [
      "a named place left out",
      () => ({
        ...snapshot,
        manufacturers: snapshot.manufacturers.map((e) => ({
          ...e,
          batches: e.batches.map((b) => ({
            ...b,
            marked: PlaceSet.of(b.batch.size, []),
            markedBy: new Uint32Array(0),
          })),
        })),
      }),
    ],
  ]

  it.each(OMISSIONS)("finds out with a replica, where a node alone cannot tell: %s", async (_what, forge) => {
    expect((await checkSnapshot(forge(), ledger)).compared).toBe("statements")
    await expect(checkSnapshot(forge(), replica)).rejects.toThrow(SnapshotMismatchError)
  })

  it("refuses another ledger's snapshot, and a block that is not there", async () => {
    const { block, contracts } = snapshot
    const foreign = { ...snapshot, contracts: { ...contracts, devices: contracts.manufacturers } }
    await expect(checkSnapshot(foreign, ledger)).rejects.toThrow(SnapshotForeignError)
    await expect(checkSnapshot({ ...snapshot, chainId: 1 }, ledger)).rejects.toThrow(SnapshotForeignError)
    const other = { ...snapshot, block: { ...block, hash: `0x${"12".repeat(32)}` as const } }
    await expect(checkSnapshot(other, ledger)).rejects.toThrow(SnapshotBlockError)
    const fresh = { ...snapshot, block: { ...block, number: block.number - 1, timestamp: block.timestamp + 1000 } }
    await expect(checkSnapshot(fresh, ledger)).rejects.toThrow(SnapshotBlockError)
    const ahead = { ...snapshot, block: { ...block, number: block.number + 5 } }
    await expect(checkSnapshot(ahead, ledger)).rejects.toThrow(SnapshotUncheckableError)
  })

  it("holds for its block when the ledger has moved on, and says by how much", async () => {
    const old = replica.stateAt(replica.settled.block.timestamp - 50)
    const made = makeSnapshot(old, deployment)
    const behind = await checkSnapshot(made, ledger)
    expect(behind).toMatchObject({
      compared: "statements",
      blockConfirmed: true,
      checkedAt: { number: old.block.number },
    })
    expect(behind.behind).toBeGreaterThan(0)
    expect(await checkSnapshot(made, replica)).toMatchObject({ compared: "everything", behind: behind.behind })
    await expect(checkSnapshot(made, forgetful())).rejects.toThrow(SnapshotUncheckableError)
  })

  it("holds for now when blocks came in which nothing happened", async () => {
    for (let i = 0; i < 3; i++) {
      // Later each time: of several blocks with one timestamp, a node that is asked by time shows the last.
      await rpc.request({ method: "evm_increaseTime", params: [10] })
      await rpc.request({ method: "evm_mine", params: [] })
    }
    await replica.sync()
    expect(await checkSnapshot(snapshot, forgetful())).toMatchObject({
      compared: "statements",
      blockConfirmed: false,
      behind: 0,
    })
    expect(await checkSnapshot(snapshot, replica)).toMatchObject({ compared: "everything", behind: 0 })
    expect(await checkSnapshot(snapshot, ledger)).toMatchObject({ blockConfirmed: true, behind: 0 })
  })
})

function dropRecord(entry: SnapshotManufacturer): SnapshotManufacturer {
  const named = new Set(entry.batches.flatMap(({ markedBy }) => [...markedBy]))
  const dropped = entry.records.findIndex((_, ordinal) => !named.has(ordinal))
  expect(dropped).toBeGreaterThanOrEqual(0)
  const batches = entry.batches.map((batch) => ({
    ...batch,
    markedBy: batch.markedBy.map((ordinal) => (ordinal > dropped ? ordinal - 1 : ordinal)),
  }))
  return { ...entry, batches, records: entry.records.filter((_, ordinal) => ordinal !== dropped) }
}
