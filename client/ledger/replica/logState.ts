import type { Hex } from "../../crypto/hex.ts"
import { KeyOwnerAmbiguousError } from "../../errors/ledger.ts"
import { FleetStateUndoneError } from "../../errors/replica.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  LedgerKey,
  LoggedContract,
  LogHead,
  Manufacturer,
  OperatorGrant,
  Release,
  ReleaseTexts,
  ReleaseThreshold,
} from "../ledger.ts"
import { toHex } from "../../crypto/hex.ts"
import type { FleetLog } from "./fleetLog.ts"
import type { FleetState, PlaceMark } from "./fleetState.ts"
import { blankRecord } from "./foldDevices.ts"
import type { BatchLog, WordRevocation } from "./foldDevices.ts"

const NOTHING: Uint8Array = new Uint8Array()

/**
 * What the first entries of a log add up to. It stays what it is while the log grows; when a reorganisation takes back entries of
 * it, every question is refused.
 */
export class LogState implements FleetState {
  readonly block: Block
  /** How many entries it stands on. */
  readonly count: number
  /** Of which time it speaks: what lapses by itself has lapsed by then. Unix seconds. */
  readonly time: number
  readonly #log: FleetLog
  #undoings: number
  // The batch that was asked for last: questions about places come in crowds.
  #manufacturerId = -1
  #series = -1
  #batch: BatchLog | undefined
  /** The bits of `#batch` in one piece, after all entries of the log. */
  #bits: Uint8Array = NOTHING
  #copies: Map<BatchLog, Uint8Array> | undefined

  constructor(options: { log: FleetLog; count: number; block: Block; time?: number }) {
    this.#log = options.log
    this.#undoings = options.log.undoings
    this.count = options.count
    this.block = options.block
    this.time = options.time ?? options.block.timestamp
  }

  *manufacturers(): Iterable<Manufacturer> {
    this.#assertKept()
    for (const id of this.#log.manufacturers.ids()) {
      const found = this.manufacturer(id)
      if (found !== undefined) yield found
    }
  }

  manufacturer(manufacturerId: number): Manufacturer | undefined {
    this.#assertKept()
    const stored = this.#log.manufacturers.stored(manufacturerId, this.count)
    return stored === undefined ? undefined : effective(stored.manufacturer, this.time)
  }

  operator(manufacturerId: number, account: Hex): OperatorGrant | undefined {
    this.#assertKept()
    const grant = this.#log.manufacturers.grant(manufacturerId, account.toLowerCase() as Hex, this.count)
    if (grant === undefined || grant.rights === 0 || this.time >= grant.until) return undefined
    const stored = this.#log.manufacturers.stored(manufacturerId, this.count)
    return stored?.epoch === grant.epoch ? { rights: grant.rights, until: grant.until } : undefined
  }

  *keys(manufacturerId: number): Iterable<LedgerKey> {
    this.#assertKept()
    const keyCount = this.#log.manufacturers.stored(manufacturerId, this.count)?.manufacturer.keyCount ?? 0
    for (let index = 1; index <= keyCount; index++) {
      const key = this.key(manufacturerId, index)
      if (key !== undefined) yield key
    }
  }

  key(manufacturerId: number, keyIndex: number): LedgerKey | undefined {
    this.#assertKept()
    return this.#log.manufacturers.key(manufacturerId, keyIndex, this.count)
  }

  keyById(keyId: Hex): LedgerKey | undefined {
    this.#assertKept()
    const keys = this.#log.manufacturers.keysById(keyId, this.count)
    // A key that the contract checked is one manufacturer's alone.
    const proven = keys.find((key) => key.proven)
    if (proven !== undefined) return proven
    const owners = [...new Set(keys.map((key) => key.manufacturerId))]
    if (owners.length > 1) throw new KeyOwnerAmbiguousError({ keyId, owners })
    return keys[0]
  }

  keysByIdentifier(identifier: Hex): readonly LedgerKey[] {
    this.#assertKept()
    const ids = new Set(this.#log.manufacturers.keysByIdentifier(identifier, this.count).map((key) => key.keyId))
    return [...ids].map((keyId) => this.keyById(keyId)).filter((key) => key !== undefined)
  }

  *batches(manufacturerId: number): Iterable<Batch> {
    this.#assertKept()
    for (const { entry, registered } of this.#log.devices.batches(manufacturerId)) {
      if (entry >= this.count) return
      const batch = this.batch(manufacturerId, registered.series)
      if (batch !== undefined) yield batch
    }
  }

  batch(manufacturerId: number, series: number): Batch | undefined {
    const log = this.#batchLog(manufacturerId, series)
    if (log === undefined) return undefined
    const mark = log.marks.after(this.count) ?? { mark: "none", changedAt: 0, reason: 0 }
    const revokedCount = this.#revocations(log).at(-1)?.total ?? 0
    return { ...log.registered, ...mark, revokedCount }
  }

  word(manufacturerId: number, series: number, word: number): bigint {
    const log = this.#batchLog(manufacturerId, series)
    if (log === undefined || word < 0 || 256 * word >= log.registered.size) return 0n
    if (log.bitsEnd <= this.count) return log.bits.word(word)
    const revocations = (log.byWord.get(word) ?? []).filter(({ entry }) => entry < this.count)
    return revocations.reduce((bits, revocation) => bits | revocation.bits, 0n)
  }

  words(manufacturerId: number, series: number, firstWord: number, count: number): bigint[] {
    return Array.from({ length: count }, (_, i) => this.word(manufacturerId, series, firstWord + i))
  }

  bit(manufacturerId: number, series: number, index: number): boolean {
    if (manufacturerId !== this.#manufacturerId || series !== this.#series || this.#log.undoings !== this.#undoings) {
      this.#batchLog(manufacturerId, series)
    }
    const octet = this.#bits[index >>> 3]
    // Only a whole number from 0 to 2^32-1 is equal to what the shift sees.
    if (octet === undefined || index >>> 0 !== index) return this.#slowBit(this.#batch, index)
    if ((octet & (1 << (index & 7))) === 0) return false
    const log = this.#batch as BatchLog
    return log.bitsEnd <= this.count || this.#setBy(log, index) !== undefined
  }

  /**
   * The status bits of a batch in one piece, for reading many at once: place i is bit i % 8 of octet i / 8. Not to be changed.
   * Good until the replica's state changes; what the next sync finds revoked may already show. undefined if no bit is set, the
   * batch is unknown, or too large to have its bits in one piece (above 2^26 places): then `bit` tells.
   */
  batchBits(manufacturerId: number, series: number): Uint8Array | undefined {
    const log = this.#batchLog(manufacturerId, series)
    if (log === undefined || log.bitsEnd <= this.count) return log?.bits.flat
    if (log.bits.flat === undefined) return undefined
    const known = this.#copies?.get(log)
    if (known !== undefined) return known
    const copy = log.bits.flat.slice()
    // All later ones are taken off: the bits of different entries are different ones.
    for (let i = log.revocations.length - 1; (log.revocations[i]?.entry ?? -1) >= this.count; i--) {
      const { word, bits } = log.revocations[i] as WordRevocation
      for (let place = 0, rest = bits; rest !== 0n; place++, rest >>= 1n) {
        if ((rest & 1n) === 0n) continue
        const index = 256 * word + place
        copy[index >>> 3] = (copy[index >>> 3] as number) & ~(1 << (index & 7))
      }
    }
    this.#copies ??= new Map()
    this.#copies.set(log, copy)
    return copy
  }

  bitRevocation(manufacturerId: number, series: number, index: number): BitRevocation | undefined {
    const found = this.#setBy(this.#batchLog(manufacturerId, series), index)
    return found === undefined ? undefined : { revokedAt: found.revokedAt, reason: found.reason }
  }

  placeMark(manufacturerId: number, series: number, index: number): PlaceMark | undefined {
    const log = this.#batchLog(manufacturerId, series)
    if (log === undefined || !Number.isInteger(index) || index < 0 || index >= log.registered.size) return undefined
    return this.#markOf(log, index)
  }

  *placeMarks(manufacturerId: number, series: number): Iterable<PlaceMark> {
    const log = this.#batchLog(manufacturerId, series)
    if (log === undefined) return
    for (const index of this.#candidates(log)) {
      this.#assertKept()
      const mark = this.#markOf(log, index)
      if (mark !== undefined) yield mark
    }
  }

  record(manufacturerId: number, subject: Hex): CredentialRecord {
    this.#assertKept()
    return this.#log.devices.record(manufacturerId, subject)?.after(this.count) ?? blankRecord(manufacturerId, subject)
  }

  *records(manufacturerId: number): Iterable<CredentialRecord> {
    for (const versions of this.#log.devices.records(manufacturerId)) {
      this.#assertKept()
      const record = versions.after(this.count)
      if (record !== undefined) yield record
    }
  }

  *releases(manufacturerId: number): Iterable<Release> {
    for (const release of this.#log.firmware.releases(manufacturerId, this.count)) {
      this.#assertKept()
      yield release
    }
  }

  release(manufacturerId: number, product: Hex, securityVersion: number): Release | undefined {
    this.#assertKept()
    return this.#log.firmware.byVersion(manufacturerId, product, securityVersion, this.count)
  }

  releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Release | undefined {
    this.#assertKept()
    return this.#log.firmware.byImage(manufacturerId, product, imageDigest, this.count)
  }

  latestRelease(manufacturerId: number, product: Hex): Release | undefined {
    this.#assertKept()
    return this.#log.firmware.latest(manufacturerId, product, this.count)
  }

  minimumSecurityVersion(manufacturerId: number, product: Hex): number {
    this.#assertKept()
    return this.#log.firmware.minimum(manufacturerId, product, this.count)
  }

  releaseThreshold(manufacturerId: number): ReleaseThreshold {
    this.#assertKept()
    return this.#log.firmware.threshold(manufacturerId, this.count, this.time)
  }

  releaseTexts({ manufacturerId, product, imageDigest }: Release): ReleaseTexts | undefined {
    if (this.releaseByImage(manufacturerId, product, imageDigest) === undefined) return undefined
    return this.#log.firmware.texts(manufacturerId, product, imageDigest)
  }

  logHead(contract: LoggedContract, manufacturerId: number): LogHead {
    this.#assertKept()
    const { head, length } = this.#log.heads.after(this.count, contract, manufacturerId)
    return { head: toHex(head), length }
  }

  globalLogHead(contract: LoggedContract): Hex {
    this.#assertKept()
    return toHex(this.#log.heads.globalAfter(this.count, contract))
  }

  #assertKept(): void {
    const { undoings } = this.#log
    if (undoings === this.#undoings) return
    if (!this.#log.keeps(this.count, this.#undoings)) throw new FleetStateUndoneError({ block: this.block.number })
    this.#undoings = undoings
  }

  #batchLog(manufacturerId: number, series: number): BatchLog | undefined {
    this.#assertKept()
    const found = this.#log.devices.batch(manufacturerId, series)
    const batch = found !== undefined && found.entry < this.count ? found : undefined
    this.#manufacturerId = manufacturerId
    this.#series = series
    this.#batch = batch
    this.#bits = batch?.bits.flat ?? NOTHING
    return batch
  }

  #slowBit(log: BatchLog | undefined, index: number): boolean {
    if (log === undefined || !Number.isInteger(index) || index < 0 || index >= log.registered.size) return false
    // The first bit of the batch may have been set since the batch was looked up.
    this.#bits = log.bits.flat ?? NOTHING
    return log.bits.has(index) && (log.bitsEnd <= this.count || this.#setBy(log, index) !== undefined)
  }

  #setBy(log: BatchLog | undefined, index: number): WordRevocation | undefined {
    if (log === undefined || !Number.isInteger(index) || index < 0) return undefined
    const bit = 1n << BigInt(index % 256)
    const found = log.byWord.get(Math.floor(index / 256))?.find(({ bits }) => (bits & bit) !== 0n)
    return found !== undefined && found.entry < this.count ? found : undefined
  }

  /** Those of this state. */
  #revocations({ revocations, bitsEnd }: BatchLog): readonly WordRevocation[] {
    if (bitsEnd <= this.count) return revocations
    let end = revocations.length
    // Those that are not in this state yet are few, or it is a state of long ago.
    while (end > 0 && (revocations[end - 1] as WordRevocation).entry >= this.count) end -= 1
    return revocations.slice(0, end)
  }

  /** Every index that may be barred, ascending, once each. */
  #candidates(log: BatchLog): number[] {
    const { manufacturerId, series, size } = log.registered
    const indices = new Set<number>()
    for (const { word, bits } of this.#revocations(log)) {
      for (let place = 0, rest = bits; rest !== 0n; place++, rest >>= 1n) {
        if ((rest & 1n) === 1n) indices.add(256 * word + place)
      }
    }
    for (const index of this.#log.devices.places(manufacturerId, series)?.keys() ?? []) {
      if (index < size) indices.add(index)
    }
    return [...indices].sort((a, b) => a - b)
  }

  #markOf(log: BatchLog, index: number): PlaceMark | undefined {
    const { manufacturerId, series } = log.registered
    const marks: PlaceMark[] = []
    const bit = this.#setBy(log, index)
    if (bit !== undefined) {
      const { revokedAt, reason } = bit
      marks.push({ index, mark: "revoked", since: revokedAt, reason, invalidityDate: undefined, subject: undefined })
    }
    for (const { entry, subject } of this.#log.devices.places(manufacturerId, series)?.get(index) ?? []) {
      if (entry >= this.count) break
      const versions = this.#log.devices.record(manufacturerId, subject)
      const record = versions?.after(this.count)
      if (versions === undefined || record === undefined || record.mark === "none") continue
      // A hold that ended takes along the place that it named.
      if (versions.someBetween(entry, this.count, ({ mark }) => mark === "none")) continue
      const { mark, changedAt, reason, invalidityDate } = record
      marks.push({ index, mark, since: changedAt, reason, invalidityDate, subject })
    }
    return marks.reduce<PlaceMark | undefined>(
      (worst, mark) => (worst === undefined || isWorse(mark, worst) ? mark : worst),
      undefined,
    )
  }
}

/** Revoked before held, the earlier first. */
function isWorse(a: PlaceMark, b: PlaceMark): boolean {
  return a.mark === b.mark ? a.since < b.since : a.mark === "revoked"
}

/** A suspension that nobody confirmed ends by itself. */
function effective(stored: Manufacturer, time: number): Manufacturer {
  const { status, suspendedUntil } = stored
  if (status === "suspended" && suspendedUntil !== undefined && time >= suspendedUntil) {
    return { ...stored, status: "active", statusSince: suspendedUntil, suspendedUntil: undefined }
  }
  return stored
}
