import type { Hex } from "../../crypto/hex.ts"
import type { Batch, BitRevocation, CredentialRecord, Mark } from "../ledger.ts"
import type { Refuse, Undo } from "./foldManufacturers.ts"
import type { LogEntry, LoggedEvent } from "./logCodec.ts"
import { countBits, StatusBits } from "./statusBits.ts"
import { Versions } from "./versions.ts"

type DeviceEvent = Extract<LoggedEvent, { contract: "devices" }>
type BatchMark = { readonly mark: Mark; readonly changedAt: number; readonly reason: number }

/** One `WordRevoked`: bits that were not set before. */
export type WordRevocation = BitRevocation & {
  readonly entry: number
  readonly word: number
  readonly bits: bigint
  /** How many bits of the batch were set after it. */
  readonly total: number
}

/** A batch with all that happened to it. */
export type BatchLog = {
  readonly entry: number
  readonly registered: Omit<Batch, "mark" | "changedAt" | "reason" | "revokedCount">
  readonly marks: Versions<BatchMark>
  readonly revocations: WordRevocation[]
  readonly byWord: Map<number, WordRevocation[]>
  /** After all entries. */
  readonly bits: StatusBits
  /** The entry after which no bit was set: before it, bits have to be looked up by entry. */
  bitsEnd: number
}

/** A subject whose mark named a place. */
export type PlacedSubject = { readonly entry: number; readonly subject: Hex }

/** A place that some mark of a subject named. */
export type NamedPlace = { readonly series: number; readonly index: number }

type RecordLog = { readonly versions: Versions<CredentialRecord>; readonly named: NamedPlace[] }

type DeviceLog = {
  readonly batches: Map<number, BatchLog>
  readonly records: Map<Hex, RecordLog>
  /** By series and index, as the operators named them: no more than a word. */
  readonly places: Map<number, Map<number, PlacedSubject[]>>
}

const FLAG_BY_KEY = 1
const FLAG_RAW_PUBLIC_KEYS = 2
const REASON_CERTIFICATE_HOLD = 6

/** What the log of the DeviceRegistry adds up to, after any of its entries. */
export class DeviceFold {
  readonly #manufacturers = new Map<number, DeviceLog>()

  apply(number: number, entry: LogEntry, event: DeviceEvent, refuse: Refuse): Undo {
    const { timestamp } = entry
    const log = this.#log(entry.manufacturerId)
    switch (event.name) {
      case "BatchRegistered":
        return registerBatch(log, number, entry, event.args, refuse)
      case "BatchRevoked":
        return markBatch(
          log,
          number,
          event.args.series,
          { mark: "revoked", changedAt: timestamp, ...event.args },
          refuse,
        )
      case "BatchHeld": {
        const mark = { mark: "held", changedAt: timestamp, reason: REASON_CERTIFICATE_HOLD } as const
        return markBatch(log, number, event.args.series, mark, refuse)
      }
      case "BatchReleased": {
        const mark = { mark: "none", changedAt: timestamp, reason: 0 } as const
        return markBatch(log, number, event.args.series, mark, refuse)
      }
      case "WordRevoked":
        return revokeWord(log, number, timestamp, event.args, refuse)
      case "CredentialRegistered": {
        const { credentialHash, keyIndex, notAfter } = event.args
        const changes = { registeredAt: timestamp, keyIndex, notAfter: orNone(notAfter) }
        return changeRecord(log, number, entry, credentialHash, changes)
      }
      case "SubjectRevoked": {
        const { reason, invalidityDate } = event.args
        const changes = {
          mark: "revoked",
          changedAt: timestamp,
          reason,
          invalidityDate: orNone(invalidityDate),
        } as const
        return markSubject(log, number, entry, event.args, changes)
      }
      case "SubjectHeld": {
        const changes = { mark: "held", changedAt: timestamp, reason: REASON_CERTIFICATE_HOLD } as const
        return markSubject(log, number, entry, event.args, changes)
      }
      case "SubjectReleased":
        return changeRecord(log, number, entry, event.args.subject, { mark: "none", changedAt: timestamp, reason: 0 })
      case "SuccessorProposed":
      case "SuccessorNamed":
        // Of governance: no verdict rests on it.
        return () => undefined
    }
  }

  batches(manufacturerId: number): Iterable<BatchLog> {
    return this.#manufacturers.get(manufacturerId)?.batches.values() ?? []
  }

  batch(manufacturerId: number, series: number): BatchLog | undefined {
    return this.#manufacturers.get(manufacturerId)?.batches.get(series)
  }

  record(manufacturerId: number, subject: Hex): Versions<CredentialRecord> | undefined {
    return this.#manufacturers.get(manufacturerId)?.records.get(subject)?.versions
  }

  *records(manufacturerId: number): Iterable<Versions<CredentialRecord>> {
    for (const { versions } of this.#manufacturers.get(manufacturerId)?.records.values() ?? []) yield versions
  }

  /** Every place that a mark of the subject ever named. */
  placesNamed(manufacturerId: number, subject: Hex): readonly NamedPlace[] {
    return this.#manufacturers.get(manufacturerId)?.records.get(subject)?.named ?? []
  }

  /** The subjects whose marks named places of a series, by index. */
  places(manufacturerId: number, series: number): ReadonlyMap<number, readonly PlacedSubject[]> | undefined {
    return this.#manufacturers.get(manufacturerId)?.places.get(series)
  }

  #log(manufacturerId: number): DeviceLog {
    let log = this.#manufacturers.get(manufacturerId)
    if (log === undefined) {
      log = { batches: new Map(), records: new Map(), places: new Map() }
      this.#manufacturers.set(manufacturerId, log)
    }
    return log
  }
}

/** The record of a subject that nobody registered or marked. */
export function blankRecord(manufacturerId: number, subject: Hex): CredentialRecord {
  return {
    manufacturerId,
    subject,
    registeredAt: undefined,
    notAfter: undefined,
    keyIndex: 0,
    mark: "none",
    changedAt: 0,
    reason: 0,
    invalidityDate: undefined,
  }
}

function registerBatch(
  log: DeviceLog,
  number: number,
  { manufacturerId, timestamp }: LogEntry,
  args: Extract<DeviceEvent, { name: "BatchRegistered" }>["args"],
  refuse: Refuse,
): Undo {
  const { series, root, size, keyIndex, notAfter, flags } = args
  if (log.batches.has(series)) refuse("the series is taken")
  const registered = {
    manufacturerId,
    series,
    root,
    size,
    keyIndex,
    registeredAt: timestamp,
    notAfter,
    byKey: (flags & FLAG_BY_KEY) !== 0,
    rawPublicKeys: (flags & FLAG_RAW_PUBLIC_KEYS) !== 0,
  }
  log.batches.set(series, {
    entry: number,
    registered,
    marks: new Versions(),
    revocations: [],
    byWord: new Map(),
    bits: new StatusBits(size),
    bitsEnd: 0,
  })
  return () => {
    log.batches.delete(series)
  }
}

function markBatch(log: DeviceLog, number: number, series: number, mark: BatchMark, refuse: Refuse): Undo {
  const batch = log.batches.get(series) ?? refuse("there is no such batch")
  const { changedAt, reason } = mark
  batch.marks.set(number, { mark: mark.mark, changedAt, reason })
  return () => {
    batch.marks.undo()
  }
}

function revokeWord(
  log: DeviceLog,
  number: number,
  timestamp: number,
  { series, word, bits, reason }: { series: number; word: number; bits: bigint; reason: number },
  refuse: Refuse,
): Undo {
  const batch = log.batches.get(series) ?? refuse("there is no such batch")
  const places = batch.registered.size - 256 * word
  if (places <= 0 || (places < 256 && bits >> BigInt(places) !== 0n)) refuse("the batch has no such place")
  // What follows relies on it: each bit is set by one entry.
  if (bits === 0n || batch.bits.meets(word, bits)) refuse("the bits were set before")
  const before = batch.revocations.at(-1)?.total ?? 0
  const revocation = { entry: number, word, bits, revokedAt: timestamp, reason, total: before + countBits(bits) }
  const ofWord = batch.byWord.get(word)
  if (ofWord === undefined) batch.byWord.set(word, [revocation])
  else ofWord.push(revocation)
  batch.revocations.push(revocation)
  batch.bits.set(word, bits)
  const { bitsEnd } = batch
  batch.bitsEnd = number + 1
  return () => {
    batch.bitsEnd = bitsEnd
    batch.bits.clear(word, bits)
    batch.revocations.pop()
    batch.byWord.get(word)?.pop()
  }
}

function markSubject(
  log: DeviceLog,
  number: number,
  entry: LogEntry,
  { subject, series, index }: { subject: Hex; series: number; index: number },
  changes: Partial<CredentialRecord>,
): Undo {
  const undoRecord = changeRecord(log, number, entry, subject, changes)
  if (series === 0) return undoRecord
  const ofSeries = log.places.get(series) ?? new Map<number, PlacedSubject[]>()
  log.places.set(series, ofSeries)
  const placed = ofSeries.get(index) ?? []
  ofSeries.set(index, placed)
  placed.push({ entry: number, subject })
  const named = log.records.get(subject)?.named
  named?.push({ series, index })
  return () => {
    named?.pop()
    placed.pop()
    if (placed.length === 0) ofSeries.delete(index)
    undoRecord()
  }
}

function changeRecord(
  log: DeviceLog,
  number: number,
  { manufacturerId }: LogEntry,
  subject: Hex,
  changes: Partial<CredentialRecord>,
): Undo {
  const known = log.records.get(subject)
  const versions = known?.versions ?? new Versions<CredentialRecord>()
  if (known === undefined) log.records.set(subject, { versions, named: [] })
  versions.set(number, { ...(versions.last ?? blankRecord(manufacturerId, subject)), ...changes })
  return () => {
    versions.undo()
    if (versions.last === undefined) log.records.delete(subject)
  }
}

function orNone(value: number): number | undefined {
  return value === 0 ? undefined : value
}
