import type { Hex } from "../crypto/hex.ts"
import { SnapshotSubjectError } from "../errors/snapshot.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { Batch, LoggedContract, LogHead, Manufacturer } from "../ledger/ledger.ts"
import type { FleetState } from "../ledger/replica/fleetState.ts"
import { PlaceSet } from "./placeSet.ts"
import { LOGGED_CONTRACTS } from "./snapshot.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot.ts"

export type MakeSnapshotOptions = {
  /** Of this manufacturer only. Default: of all. */
  manufacturerId?: number
}

const WORD = 256

/**
 * Takes down what a picture of the ledger holds about devices. `encodeSnapshot` makes bytes of it.
 *
 * @throws {@link SnapshotSubjectError} when there is no such manufacturer.
 */
export function makeSnapshot(
  state: FleetState,
  { chainId, contracts }: Deployment,
  { manufacturerId }: MakeSnapshotOptions = {},
): Snapshot {
  const wanted = [...state.manufacturers()].filter(({ id }) => manufacturerId === undefined || id === manufacturerId)
  if (manufacturerId !== undefined && wanted.length === 0) {
    throw new SnapshotSubjectError({ what: `manufacturer ${manufacturerId}` })
  }
  const { number, hash, timestamp } = state.block
  const deployed = LOGGED_CONTRACTS.filter((contract) => contracts[contract] !== undefined)
  return {
    chainId,
    contracts: {
      manufacturers: contracts.manufacturers.address,
      devices: contracts.devices.address,
      firmware: contracts.firmware?.address,
    },
    manufacturerId,
    block: { number, hash, timestamp },
    manufacturers: wanted.toSorted((one, other) => one.id - other.id).map((each) => takeDown(state, each, deployed)),
  }
}

function takeDown(
  state: FleetState,
  manufacturer: Manufacturer,
  deployed: readonly LoggedContract[],
): SnapshotManufacturer {
  const { id } = manufacturer
  const headOf = (contract: LoggedContract): LogHead | undefined =>
    deployed.includes(contract) ? state.logHead(contract, id) : undefined
  const records = [...state.records(id)].toSorted((one, other) => (one.subject < other.subject ? -1 : 1))
  const ordinals = new Map(records.map(({ subject }, ordinal) => [subject, ordinal]))
  const batches = [...state.batches(id)].toSorted((one, other) => one.series - other.series)
  return {
    manufacturer,
    logHeads: {
      manufacturers: headOf("manufacturers"),
      devices: headOf("devices"),
      firmware: headOf("firmware"),
    },
    keys: [...state.keys(id)].toSorted((one, other) => one.index - other.index),
    batches: batches.map((batch) => takeDownBatch(state, batch, ordinals)),
    records,
  }
}

function takeDownBatch(state: FleetState, batch: Batch, ordinals: ReadonlyMap<Hex, number>): SnapshotBatch {
  const { manufacturerId, series, size } = batch
  const marks: { index: number; ordinal: number }[] = []
  for (const { index, subject } of state.placeMarks(manufacturerId, series)) {
    if (subject === undefined) continue
    const ordinal = ordinals.get(subject)
    if (ordinal === undefined) throw new SnapshotSubjectError({ what: `record of ${subject}` })
    marks.push({ index, ordinal })
  }
  return {
    batch,
    bits: PlaceSet.of(size, setBits(state, batch)),
    marked: PlaceSet.of(
      size,
      marks.map(({ index }) => index),
    ),
    markedBy: Uint32Array.from(marks, ({ ordinal }) => ordinal),
  }
}

function* setBits(state: FleetState, { manufacturerId, series, size }: Batch): Generator<number> {
  for (let first = 0; first < size; first += WORD) {
    if (state.word(manufacturerId, series, first / WORD) === 0n) continue
    const end = Math.min(first + WORD, size)
    for (let index = first; index < end; index++) if (state.bit(manufacturerId, series, index)) yield index
  }
}
