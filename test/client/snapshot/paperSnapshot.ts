import { keyIdOf, sha256, toHex } from "../../../client/index.ts"
import type { Batch, CredentialRecord, Deployment, Hex, LedgerKey, Manufacturer } from "../../../client/index.ts"
import { PlaceSet } from "../../../client/snapshot/placeSet.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "../../../client/snapshot/snapshot.ts"

const address = (byte: string): Hex => `0x${byte.repeat(20)}`
const hash = (text: string): Hex => toHex(sha256(new TextEncoder().encode(text)))

/** The ledger of the paper snapshots. */
export const DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 31_337,
  block: { number: 1, hash: hash("block 1") },
  contracts: {
    access: { address: address("a0"), codeHash: hash("access") },
    manufacturers: { address: address("a1"), codeHash: hash("manufacturers") },
    devices: { address: address("a2"), codeHash: hash("devices") },
    firmware: { address: address("a3"), codeHash: hash("firmware") },
  },
}

/** A P-256 SubjectPublicKeyInfo with an impossible point, of each key another: nobody verifies with it. */
function spkiOf(manufacturerId: number, index: number): Uint8Array {
  const prefix = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex")
  return new Uint8Array([...prefix, ...new Uint8Array(64).fill(16 * manufacturerId + index)])
}

export function paperManufacturer(id: number): Manufacturer {
  return {
    id,
    name: `Maker ${id} ☃`,
    metadataURI: "https://example.com/",
    controller: address("c1"),
    pendingController: undefined,
    proposedController: address("c2"),
    replacementAt: 1_800_000_000,
    status: "active",
    statusSince: 1_700_000_000,
    suspendedUntil: undefined,
    keyCount: 2,
  }
}

export function paperKey(manufacturerId: number, index: number): LedgerKey {
  return {
    manufacturerId,
    index,
    keyId: keyIdOf(spkiOf(manufacturerId, index)),
    purpose: "issuer",
    proven: true,
    registeredAt: 1_700_000_100,
    notBefore: 1_700_000_000,
    notAfter: 2_000_000_000,
    revokedAt: index === 2 ? 1_710_000_000 : undefined,
    compromisedSince: undefined,
    spki: spkiOf(manufacturerId, index),
  }
}

export function paperBatch(manufacturerId: number, series: number, size: number, revokedCount: number): Batch {
  return {
    manufacturerId,
    series,
    root: hash(`batch ${manufacturerId}/${series}`),
    size,
    keyIndex: 1,
    registeredAt: 1_700_001_000 + series,
    notAfter: 1_950_000_000,
    mark: "none",
    byKey: true,
    rawPublicKeys: false,
    revokedCount,
    changedAt: 0,
    reason: 0,
  }
}

/** Record number `n` of a manufacturer, in the order of the snapshot: registered, held, revoked, lifted in turn. */
export function paperRecords(manufacturerId: number, count: number): CredentialRecord[] {
  const subjects = Array.from({ length: count }, (_, i) => hash(`subject ${manufacturerId}/${i}`)).toSorted()
  return subjects.map((subject, i) => {
    const kind = i % 4
    return {
      manufacturerId,
      subject,
      registeredAt: kind === 0 ? 1_700_002_000 : undefined,
      notAfter: undefined,
      keyIndex: kind === 0 ? 2 : 0,
      mark: kind === 1 ? "held" : kind === 2 ? "revoked" : "none",
      changedAt: kind === 0 ? 0 : 1_700_003_000 + i,
      reason: kind === 1 ? 6 : kind === 2 ? 1 : 0,
      invalidityDate: kind === 2 ? 1_700_000_500 : undefined,
    }
  })
}

export type PaperBatchSets = {
  series: number
  size: number
  bits?: number[]
  marked?: [index: number, record: number][]
}

export function paperEntry(id: number, recordCount: number, batches: readonly PaperBatchSets[]): SnapshotManufacturer {
  const head = (contract: string): { head: Hex; length: number } => ({
    head: hash(`${contract} ${id}`),
    length: 7 + id,
  })
  return {
    manufacturer: paperManufacturer(id),
    logHeads: { manufacturers: head("manufacturers"), devices: head("devices"), firmware: head("firmware") },
    keys: [paperKey(id, 1), paperKey(id, 2)],
    batches: batches.map(({ series, size, bits = [], marked = [] }): SnapshotBatch => {
      return {
        batch: paperBatch(id, series, size, bits.length),
        bits: PlaceSet.of(size, bits),
        marked: PlaceSet.of(
          size,
          marked.map(([index]) => index),
        ),
        markedBy: Uint32Array.from(marked, ([, record]) => record),
      }
    }),
    records: paperRecords(id, recordCount),
  }
}

export function paperSnapshot(manufacturers: readonly SnapshotManufacturer[], manufacturerId?: number): Snapshot {
  const { contracts, chainId } = DEPLOYMENT
  return {
    chainId,
    contracts: {
      manufacturers: contracts.manufacturers.address,
      devices: contracts.devices.address,
      firmware: contracts.firmware?.address,
    },
    manufacturerId,
    block: { number: 1234, hash: hash("block 1234"), timestamp: 1_720_000_000 },
    manufacturers,
  }
}

/** Two manufacturers with something of everything. */
export function smallSnapshot(): Snapshot {
  return paperSnapshot([
    paperEntry(1, 9, [
      {
        series: 1,
        size: 5,
        bits: [0, 4],
        marked: [
          [2, 1],
          [4, 2],
        ],
      },
      {
        series: 2_147_483_649,
        size: 1000,
        bits: [7, 8, 9, 300, 999],
        marked: [
          [8, 5],
          [500, 6],
        ],
      },
      { series: 2_147_483_650, size: 300, bits: Array.from({ length: 300 }, (_, i) => i) },
    ]),
    paperEntry(2, 0, [{ series: 3, size: 4_000_000_000 }]),
  ])
}
