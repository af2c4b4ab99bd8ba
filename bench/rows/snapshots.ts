import {
  encodeSnapshot,
  encodeStatusListCbor,
  PlaceSet,
  readSnapshot,
  SnapshotState,
  StatusList,
} from "../../client/index.ts"
import type { Snapshot } from "../../client/index.ts"
import { paperEntry, paperSnapshot } from "../../test/client/snapshot/paperSnapshot.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured, Row } from "../row.ts"
import { randomPlaces } from "../worlds/fleet.ts"

/** How much more than Shannon's bound a file may take. */
const OVERHEAD = 1.06
const SHARES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5]

/** How long the file with a fleet's status is, by the share of devices that are revoked, beside what no coding can be shorter than. */
export async function snapshots({ quick }: GroupOptions): Promise<Measured> {
  const size = 1_000_000
  const points: { share: number; file: number; list: number; bound: number }[] = []
  const rows: Row[] = []
  for (const share of quick ? [0.001, 0.01, 0.1] : SHARES) {
    const count = Math.round(share * size)
    const revoked = randomPlaces(count, size).toSorted((one, other) => one - other)
    const bytes = encodeSnapshot(snapshotOf(size, revoked))
    const list = (await encodeStatusListCbor(listOf(size, revoked))).length
    const bound = entropyBytes(size, count)
    points.push({ share: 100 * share, file: bytes.length, list, bound })
    if (share === 0.01) rows.push(...rowsOf(size, bytes, { revoked, list, bound }))
  }
  const line = (of: "file" | "list" | "bound"): [number, number][] => points.map((point) => [point.share, point[of]])
  const plots = [
    {
      title: `Bytes of a snapshot of ${size.toLocaleString("en-US")} devices, against the share that is revoked`,
      x: { label: "revoked, at random, in per cent", log: true },
      y: { label: "bytes", log: true },
      series: [
        { name: "snapshot, whole file", points: line("file") },
        { name: "Shannon's bound", points: line("bound") },
        { name: "IETF Token Status List (zlib)", points: line("list") },
      ],
      note: "Chosen at random, which is the worst case: lots that are revoked whole take next to nothing.",
    },
  ]
  return { rows, plots }
}

function rowsOf(
  size: number,
  bytes: Uint8Array,
  { revoked, list, bound }: { revoked: readonly number[]; list: number; bound: number },
): Row[] {
  const what = `snapshot of ${size.toLocaleString("en-US")} devices, 1 % revoked at random`
  const times: number[] = []
  for (let round = 0; round < 9; round++) {
    const started = performance.now()
    const state = new SnapshotState(readSnapshot(bytes))
    times.push(performance.now() - started)
    if (!state.bit(1, 1, revoked[0] as number)) throw new Error("a revoked place is not in the snapshot")
  }
  return [
    row(`${what}: whole file`, bytes.length, "bytes", {
      atMost: Math.floor(OVERHEAD * bound),
      peers: [
        { name: "Shannon's bound", value: bound },
        { name: "IETF Token Status List, zlib", value: list },
        { name: "bitmap", value: size / 8 },
      ],
    }),
    row(`${what}: read and checked for its one spelling`, median(times), "ms"),
  ]
}

function snapshotOf(size: number, revoked: readonly number[]): Snapshot {
  const { keys, manufacturer, ...entry } = paperEntry(1, 0, [{ series: 1, size }])
  const batches = entry.batches.map((each) => ({
    ...each,
    bits: PlaceSet.of(size, revoked),
    batch: { ...each.batch, revokedCount: revoked.length },
  }))
  const plain = { ...manufacturer, proposedController: undefined, replacementAt: undefined, keyCount: 1 }
  return paperSnapshot([{ ...entry, manufacturer: plain, keys: keys.slice(0, 1), batches }], 1)
}

function listOf(size: number, revoked: readonly number[]): StatusList {
  return StatusList.ofPlaces(
    size,
    revoked.map((index) => ({ first: index, last: index, status: "revoked" as const })),
  )
}

function entropyBytes(size: number, count: number): number {
  const share = count / size
  return (-size * (share * Math.log2(share) + (1 - share) * Math.log2(1 - share))) / 8
}
