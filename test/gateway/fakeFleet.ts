import type {
  Batch,
  BitRevocation,
  CredentialRecord,
  Deployment,
  FleetChange,
  FleetState,
  Hex,
  KeySigner,
  LedgerKey,
  Manufacturer,
  PlaceMark,
} from "../../client/index.ts"
import type { FleetSource } from "../../gateway/issuers/context.ts"

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`
const contract = (byte: string): { address: Hex; codeHash: Hex } => ({
  address: `0x${byte.repeat(20)}`,
  codeHash: hash("cc"),
})

/** The deployment of all hand-made fleets. */
export const DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 31_337,
  block: { number: 1, hash: hash("01") },
  contracts: { access: contract("aa"), manufacturers: contract("bb"), devices: contract("dd") },
}

/** A fleet in memory that a test changes by hand: what a replica would show at one block. */
export class FakeFleet implements FleetState {
  blockNumber = 100
  timestamp: number
  readonly makers = new Map<number, Manufacturer>()
  readonly keyList: LedgerKey[] = []
  readonly batchList: Batch[] = []
  readonly marks = new Map<string, Map<number, PlaceMark>>()
  readonly recordList: CredentialRecord[] = []

  constructor(timestamp: number) {
    this.timestamp = timestamp
  }

  get block(): FleetState["block"] {
    const hash: Hex = `0x${this.blockNumber.toString(16).padStart(64, "0")}`
    return { number: this.blockNumber, hash, timestamp: this.timestamp, finality: "latest" }
  }

  /** The same as it is now, to be kept while this one goes on. */
  copy(): FakeFleet {
    const copy = new FakeFleet(this.timestamp)
    copy.blockNumber = this.blockNumber
    for (const [id, maker] of this.makers) copy.makers.set(id, maker)
    copy.keyList.push(...this.keyList)
    copy.batchList.push(...this.batchList)
    for (const [batch, marks] of this.marks) copy.marks.set(batch, new Map(marks))
    copy.recordList.push(...this.recordList)
    return copy
  }

  /** The next block, some seconds later. */
  mine(seconds = 2): this {
    this.blockNumber++
    this.timestamp += seconds
    return this
  }

  admit(id: number, changes: Partial<Manufacturer> = {}): void {
    this.makers.set(id, {
      id,
      name: `maker ${id}`,
      metadataURI: "",
      controller: "0x",
      pendingController: undefined,
      proposedController: undefined,
      replacementAt: undefined,
      status: "active",
      statusSince: this.timestamp - 1000,
      suspendedUntil: undefined,
      keyCount: 1,
      ...changes,
    })
  }

  addKey(manufacturerId: number, signer: KeySigner, changes: Partial<LedgerKey> = {}): LedgerKey {
    const key: LedgerKey = {
      manufacturerId,
      index: 1 + this.keyList.filter((key) => key.manufacturerId === manufacturerId).length,
      keyId: signer.keyId,
      purpose: "issuer",
      proven: true,
      registeredAt: this.timestamp - 900,
      notBefore: 0,
      notAfter: 4_000_000_000,
      revokedAt: undefined,
      compromisedSince: undefined,
      spki: signer.spki,
      ...changes,
    }
    this.keyList.push(key)
    return key
  }

  changeKey(keyId: Hex, changes: Partial<LedgerKey>): void {
    const at = this.keyList.findIndex((key) => key.keyId === keyId)
    this.keyList[at] = { ...this.keyList[at]!, ...changes }
  }

  addBatch(manufacturerId: number, series: number, size: number, changes: Partial<Batch> = {}): void {
    this.batchList.push({
      manufacturerId,
      series,
      root: hash("ee"),
      size,
      keyIndex: 1,
      registeredAt: this.timestamp - 100,
      notAfter: 4_000_000_000,
      mark: "none",
      byKey: true,
      rawPublicKeys: false,
      revokedCount: 0,
      changedAt: 0,
      reason: 0,
      ...changes,
    })
  }

  changeBatch(manufacturerId: number, series: number, changes: Partial<Batch>): void {
    const at = this.batchList.findIndex((one) => one.manufacturerId === manufacturerId && one.series === series)
    this.batchList[at] = { ...this.batchList[at]!, ...changes }
  }

  mark(manufacturerId: number, series: number, index: number, changes: Partial<PlaceMark> = {}): void {
    const marks = this.#marksOf(manufacturerId, series)
    marks.set(index, {
      index,
      mark: "revoked",
      since: this.timestamp,
      reason: 1,
      invalidityDate: undefined,
      subject: undefined,
      ...changes,
    })
  }

  unmark(manufacturerId: number, series: number, index: number): void {
    this.#marksOf(manufacturerId, series).delete(index)
  }

  #marksOf(manufacturerId: number, series: number): Map<number, PlaceMark> {
    const name = `${manufacturerId}:${series}`
    const found = this.marks.get(name) ?? new Map<number, PlaceMark>()
    this.marks.set(name, found)
    return found
  }

  addRecord(manufacturerId: number, subject: Hex, changes: Partial<CredentialRecord>): void {
    const at = this.recordList.findIndex((one) => one.manufacturerId === manufacturerId && one.subject === subject)
    const record = { ...this.record(manufacturerId, subject), ...changes }
    if (at === -1) this.recordList.push(record)
    else this.recordList[at] = record
  }

  manufacturers(): Iterable<Manufacturer> {
    return this.makers.values()
  }
  manufacturer(manufacturerId: number): Manufacturer | undefined {
    return this.makers.get(manufacturerId)
  }
  keys(manufacturerId: number): Iterable<LedgerKey> {
    return this.keyList.filter((key) => key.manufacturerId === manufacturerId)
  }
  key(manufacturerId: number, keyIndex: number): LedgerKey | undefined {
    return this.keyList.find((key) => key.manufacturerId === manufacturerId && key.index === keyIndex)
  }
  keyById(keyId: Hex): LedgerKey | undefined {
    return this.keyList.find((key) => key.keyId === keyId)
  }
  keysByIdentifier(): readonly LedgerKey[] {
    return []
  }
  batches(manufacturerId: number): Iterable<Batch> {
    return this.batchList.filter((batch) => batch.manufacturerId === manufacturerId)
  }
  batch(manufacturerId: number, series: number): Batch | undefined {
    return this.batchList.find((batch) => batch.manufacturerId === manufacturerId && batch.series === series)
  }
  word(): bigint {
    return 0n
  }
  bit(manufacturerId: number, series: number, index: number): boolean {
    return this.bitRevocation(manufacturerId, series, index) !== undefined
  }
  bitRevocation(manufacturerId: number, series: number, index: number): BitRevocation | undefined {
    const mark = this.placeMark(manufacturerId, series, index)
    return mark === undefined || mark.subject !== undefined ? undefined : { revokedAt: mark.since, reason: mark.reason }
  }
  placeMark(manufacturerId: number, series: number, index: number): PlaceMark | undefined {
    return this.#marksOf(manufacturerId, series).get(index)
  }
  placeMarks(manufacturerId: number, series: number): Iterable<PlaceMark> {
    return [...this.#marksOf(manufacturerId, series).values()].sort((a, b) => a.index - b.index)
  }
  record(manufacturerId: number, subject: Hex): CredentialRecord {
    const found = this.recordList.find((one) => one.manufacturerId === manufacturerId && one.subject === subject)
    return (
      found ?? {
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
    )
  }
  records(manufacturerId: number): Iterable<CredentialRecord> {
    return this.recordList.filter((record) => record.manufacturerId === manufacturerId)
  }
  releases(): Iterable<never> {
    return []
  }
  logHead(): { head: Hex; length: number } {
    return { head: hash("00"), length: 0 }
  }
}

/** A replica of a hand-made fleet. */
export class FakeSource implements FleetSource {
  readonly deployment = DEPLOYMENT
  readonly #listeners = new Set<(changes: readonly FleetChange[]) => void>()
  fleet: FakeFleet
  /** What is final; the head itself if undefined. */
  settledFleet: FakeFleet | undefined
  fault: Error | undefined

  constructor(fleet: FakeFleet) {
    this.fleet = fleet
  }
  get head(): FleetState {
    if (this.fault !== undefined) throw this.fault
    return this.fleet
  }
  get settled(): FleetState {
    if (this.fault !== undefined) throw this.fault
    return this.settledFleet ?? this.fleet
  }
  onChange(listener: (changes: readonly FleetChange[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  /** Tells everybody. */
  changed(...changes: FleetChange[]): void {
    for (const listener of this.#listeners) listener(changes)
  }
}
