import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { concatBytes } from "../../../client/crypto/hex.ts"
import { BatchIndex, bytesSource, fromHex, MerkleTree, StatusTable, toHex } from "../../../client/index.ts"
import type { Batch, CredentialRecord, Hex, LedgerKey, Manufacturer } from "../../../client/index.ts"
import type { FleetState } from "../../../client/ledger/replica/fleetState.ts"
import { encodeManifestHeader } from "../../../client/merkle/manifest.ts"
import { placeStatus } from "../../../client/status/placeStatus.ts"
import { blankRecord, PAPER_DEPLOYMENT, paperState } from "../../helpers/paperFleet.ts"

const T0 = 1_700_000_000
const SIZE = 70
const SERIES = 3
const KEY: Hex = `0x${"ab".repeat(32)}`
const hashes = Array.from({ length: SIZE }, (_, i) => new Uint8Array(32).fill(i + 1))
const root = toHex(MerkleTree.fromCredentialHashes(hashes).root())
const batch: Batch = {
  manufacturerId: 1,
  series: SERIES,
  root,
  size: SIZE,
  keyIndex: 1,
  registeredAt: T0,
  notAfter: T0 + 500,
  mark: "none",
  byKey: false,
  rawPublicKeys: false,
  revokedCount: 0,
  changedAt: T0,
  reason: 0,
}

const time = fc.constantFrom(T0 - 1, T0, T0 + 1)
const seldom = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
const anyState = fc.record({
  here: fc.integer({ min: 0, max: 9 }),
  status: fc.constantFrom("active", "active", "active", "active", "suspended", "left"),
  statusSince: time,
  compromisedSince: seldom(time),
  revokedAt: seldom(time),
  mark: fc.constantFrom("none", "none", "none", "none", "held", "revoked"),
  bits: fc.uniqueArray(fc.integer({ min: 0, max: SIZE + 3 }), { maxLength: 6 }),
  marks: fc.array(fc.record({ index: fc.nat({ max: SIZE - 1 }), mark: fc.constantFrom("none", "held", "revoked") }), {
    maxLength: 4,
  }),
  timestamp: fc.constantFrom(T0 + 10, T0 + 501),
})
type Drawn = typeof anyState extends fc.Arbitrary<infer Value> ? Value : never

function stateOf(drawn: Drawn, number: number): FleetState {
  const { here, status, statusSince, compromisedSince, revokedAt, mark, bits, marks, timestamp } = drawn
  const key = { manufacturerId: 1, index: 1, keyId: KEY, purpose: "issuer", proven: true, compromisedSince, revokedAt }
  const records = new Map(
    marks.map(({ index, mark: marked }): [number, CredentialRecord] => [
      index,
      { ...blankRecord(1, toHex(hashes[index] as Uint8Array)), mark: marked, changedAt: T0 },
    ]),
  )
  return paperState({
    block: { number, hash: toHex(new Uint8Array(32).fill(number)), timestamp, finality: "latest" },
    manufacturers: [{ id: 1, name: "Acme", status, statusSince } as Manufacturer],
    keys: [key as LedgerKey],
    batches: here === 0 ? [] : [{ ...batch, mark, ...(here === 1 ? { root: KEY } : {}) }],
    records: [...records.values()],
    bits: bits.map((index) => ({ manufacturerId: 1, series: SERIES, index, revokedAt: T0, reason: 1 })),
  })
}

async function indexed(): Promise<BatchIndex> {
  const header = encodeManifestHeader({
    version: 1,
    kind: "x509",
    chainId: BigInt(PAPER_DEPLOYMENT.chainId),
    registry: PAPER_DEPLOYMENT.contracts.devices.address,
    manufacturerId: 1,
    series: SERIES,
    size: SIZE,
    root,
    notAfter: batch.notAfter,
    issuerKeyId: KEY,
  } as never)
  const index = new BatchIndex({ deployment: PAPER_DEPLOYMENT })
  await index.add(bytesSource(concatBytes(header, ...hashes)), batch)
  return index
}

const WEIGHT = ["good", "unknown", "onHold", "revoked"]

describe("StatusTable", () => {
  it("says of each place what placeStatus says", () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(anyState, anyState, fc.boolean(), (first, second, same) => {
        const head = stateOf(first, 11)
        const settled = same ? head : stateOf(second, 10)
        const table = new StatusTable({ head, settled })
        expect(table.block).toBe(head.block)
        for (let index = 0; index < SIZE + 5; index++) {
          const { status } = placeStatus({ head, settled, manufacturerId: 1, series: SERIES, index })
          expect(table.statusAt(1, SERIES, index)).toBe(status)
          seen.add(status)
        }
        for (const index of [-1, 0.5, Number.NaN, 2 ** 32, 2 ** 33]) {
          expect(table.statusAt(1, SERIES, index)).toBe("unknown")
        }
        expect(table.statusAt(1, SERIES + 1, 0)).toBe("unknown")
        expect(table.statusAt(2, SERIES, 0)).toBe("unknown")
      }),
      { numRuns: 300, seed: 1 },
    )
    expect([...seen].toSorted()).toEqual(["good", "onHold", "revoked", "unknown"])
  })

  it("says of each credential what its place and its own marks say, and nothing of others", async () => {
    const places = await indexed()
    fc.assert(
      fc.property(anyState, anyState, (first, second) => {
        const head = stateOf(first, 11)
        const settled = stateOf(second, 10)
        const table = new StatusTable({ head, settled, places })
        for (const [index, hash] of hashes.entries()) {
          const marks = [head, settled].map((state) => state.record(1, toHex(hash)).mark)
          const own = marks.includes("revoked") ? "revoked" : marks.includes("held") ? "onHold" : "good"
          const { status } = placeStatus({ head, settled, manufacturerId: 1, series: SERIES, index })
          const worse = WEIGHT.indexOf(own) > WEIGHT.indexOf(status) ? own : status
          // The index was made of the batch with this root; of another it knows nothing.
          expect(table.statusOf(hash)).toBe(head.batch(1, SERIES)?.root === root ? worse : "unknown")
        }
        expect(table.statusOf(fromHex(KEY))).toBe("unknown")
        expect(table.statusOf(hashes[0] as Uint8Array, 2)).toBe("unknown")
      }),
      { numRuns: 200, seed: 2 },
    )
  })

  it("knows no credential without an index", () => {
    const state = stateOf({ ...fc.sample(anyState, 1)[0], here: 5 } as Drawn, 3)
    expect(new StatusTable({ head: state, settled: state }).statusOf(hashes[0] as Uint8Array)).toBe("unknown")
  })

  it("says good of nothing that is marked after it failed on a batch whose key has two owners", () => {
    const [doubted, marked] = [hashes[0] as Uint8Array, hashes[1] as Uint8Array]
    const key = { manufacturerId: 1, index: 1, keyId: KEY, purpose: "issuer", proven: true } as LedgerKey
    const rsa = { ...key, index: 2, keyId: root, proven: false }
    const state = paperState({
      block: { number: 5, hash: KEY, timestamp: T0 + 10, finality: "finalized" },
      manufacturers: [{ id: 1, name: "Acme", status: "active", statusSince: T0 } as Manufacturer],
      keys: [key, rsa, { ...rsa, manufacturerId: 2 }],
      batches: [batch, { ...batch, series: SERIES + 1, keyIndex: 2 }],
      records: [doubted, marked].map((hash) => ({
        ...blankRecord(1, toHex(hash)),
        mark: "revoked" as const,
        changedAt: T0,
      })),
      bits: [],
    })
    const batches = [state.batch(1, SERIES + 1), state.batch(1, SERIES)] as Batch[]
    const places = {
      lookup: (hash: Uint8Array) => [doubted, marked].findIndex((one) => toHex(one) === toHex(hash)) * 2 ** 32,
      batchOf: (found: number) => batches[found / 2 ** 32] as never,
      claims: () => [],
    }
    const table = new StatusTable({ head: state, settled: state, places })

    for (const series of [SERIES, SERIES + 1, SERIES, SERIES + 1]) {
      expect(() => table.statusAt(1, series, 0)).toThrow("proven by manufacturers 1 and 2")
    }
    expect(() => table.statusOf(marked)).toThrow("proven by manufacturers 1 and 2")
  })
})
