import type { Snapshot } from "../../../client/index.ts"

/** A snapshot in numbers, as commands print it. */
export type SnapshotDescription = {
  block: { number: number; hash: string; time: string }
  manufacturers: number
  batches: number
  devices: number
  records: number
  /** Credentials and device keys that are on hold or revoked, wherever they are registered. */
  markedSubjects: number
  /** Places whose status bit is set. */
  revokedPlaces: number
  /** Places that a record's mark named. */
  markedPlaces: number
}

/** What is in a snapshot, in numbers. */
export function describeSnapshot({ block, manufacturers }: Snapshot): SnapshotDescription {
  const batches = manufacturers.flatMap((entry) => entry.batches)
  const sum = (count: (batch: (typeof batches)[number]) => number): number =>
    batches.reduce((total, batch) => total + count(batch), 0)
  return {
    block: { number: block.number, hash: block.hash, time: new Date(block.timestamp * 1000).toISOString() },
    manufacturers: manufacturers.length,
    batches: batches.length,
    devices: sum(({ batch }) => batch.size),
    records: manufacturers.reduce((total, { records }) => total + records.length, 0),
    markedSubjects: manufacturers
      .flatMap(({ records }) => records)
      .reduce((total, { mark }) => total + (mark === "none" ? 0 : 1), 0),
    revokedPlaces: sum(({ bits }) => bits.count),
    markedPlaces: sum(({ marked }) => marked.count),
  }
}

/** What bars devices, for a person. */
export function barredText({ revokedPlaces, markedPlaces, markedSubjects }: SnapshotDescription): string {
  return `${revokedPlaces} places by bit, ${markedPlaces} by name; ${markedSubjects} credentials and keys by themselves`
}
