import type { Hex } from "../crypto/hex.ts"
import { KeyOwnerAmbiguousError } from "../errors/ledger.ts"
import { SnapshotContentError } from "../errors/snapshot.ts"
import type {
  Batch,
  Block,
  CredentialRecord,
  LedgerKey,
  LogHead,
  LoggedContract,
  Manufacturer,
} from "../ledger/ledger.ts"
import type { FleetState, PlaceMark } from "../ledger/replica/fleetState.ts"
import { keyIdentifiersOf } from "../x509/keyIdentifiers.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot.ts"

/**
 * A snapshot as a picture of the ledger, for whatever decides on one (`placeStatus`, `Verifier`). As good as the snapshot:
 * check that first. Manufacturers that it is not about are absent, so that nothing of theirs is good.
 *
 * Of a status bit a snapshot knows that it is set, not when and why: its `since` is the snapshot's block, its reason 0.
 */
export class SnapshotState implements FleetState {
  readonly block: Block
  readonly #manufacturers = new Map<number, SnapshotManufacturer>()
  readonly #batches = new Map<number, Map<number, SnapshotBatch>>()
  readonly #records = new Map<number, Map<Hex, CredentialRecord>>()
  readonly #keys: readonly LedgerKey[]

  /** @param finality Of its block, as the caller knows it. Default: "latest", which claims nothing. */
  constructor(snapshot: Snapshot, finality: Block["finality"] = "latest") {
    this.block = { ...snapshot.block, finality }
    for (const entry of snapshot.manufacturers) {
      const { id } = entry.manufacturer
      this.#manufacturers.set(id, entry)
      this.#batches.set(id, new Map(entry.batches.map((each) => [each.batch.series, each])))
      this.#records.set(id, new Map(entry.records.map((record) => [record.subject, record])))
    }
    this.#keys = snapshot.manufacturers.flatMap(({ keys }) => keys)
  }

  manufacturers(): Iterable<Manufacturer> {
    return [...this.#manufacturers.values()].map(({ manufacturer }) => manufacturer)
  }

  manufacturer(manufacturerId: number): Manufacturer | undefined {
    return this.#manufacturers.get(manufacturerId)?.manufacturer
  }

  keys(manufacturerId: number): Iterable<LedgerKey> {
    return this.#manufacturers.get(manufacturerId)?.keys ?? []
  }

  key(manufacturerId: number, keyIndex: number): LedgerKey | undefined {
    return this.#manufacturers.get(manufacturerId)?.keys.find(({ index }) => index === keyIndex)
  }

  keyById(keyId: Hex): LedgerKey | undefined {
    const found = this.#keys.filter((key) => key.keyId === keyId)
    const owners = [...new Set(found.map(({ manufacturerId }) => manufacturerId))]
    if (owners.length > 1) throw new KeyOwnerAmbiguousError({ keyId, owners })
    return found[0]
  }

  keysByIdentifier(identifier: Hex): readonly LedgerKey[] {
    return this.#keys.filter(({ spki }) => keyIdentifiersOf(spki).includes(identifier))
  }

  /** In the order of registration, as far as seconds tell it. */
  batches(manufacturerId: number): Iterable<Batch> {
    const batches = [...(this.#batches.get(manufacturerId)?.values() ?? [])].map(({ batch }) => batch)
    return batches.toSorted((one, other) => one.registeredAt - other.registeredAt)
  }

  batch(manufacturerId: number, series: number): Batch | undefined {
    return this.#batch(manufacturerId, series)?.batch
  }

  word(manufacturerId: number, series: number, word: number): bigint {
    return this.#batch(manufacturerId, series)?.bits.word(word) ?? 0n
  }

  bit(manufacturerId: number, series: number, index: number): boolean {
    return this.#batch(manufacturerId, series)?.bits.has(index) ?? false
  }

  /** Always undefined: when and why is not in a snapshot. */
  bitRevocation(): undefined {
    return undefined
  }

  placeMark(manufacturerId: number, series: number, index: number): PlaceMark | undefined {
    const found = this.#batch(manufacturerId, series)
    if (found === undefined) return undefined
    const record = found.marked.has(index) ? this.#recordAt(found, manufacturerId, found.marked.rank(index)) : undefined
    if (record?.mark === "revoked") return markOf(index, record)
    if (found.bits.has(index)) return this.#bitMark(index)
    return record === undefined ? undefined : markOf(index, record)
  }

  *placeMarks(manufacturerId: number, series: number): Generator<PlaceMark> {
    const found = this.#batch(manufacturerId, series)
    if (found === undefined) return
    let marked = 0
    for (const index of bothSets(found)) {
      const record = found.marked.has(index) ? this.#recordAt(found, manufacturerId, marked++) : undefined
      if (record !== undefined && (record.mark === "revoked" || !found.bits.has(index))) yield markOf(index, record)
      else yield this.#bitMark(index)
    }
  }

  record(manufacturerId: number, subject: Hex): CredentialRecord {
    const nothing = { registeredAt: undefined, notAfter: undefined, keyIndex: 0, invalidityDate: undefined }
    return (
      this.#records.get(manufacturerId)?.get(subject) ??
      ({ manufacturerId, subject, ...nothing, mark: "none", changedAt: 0, reason: 0 } satisfies CredentialRecord)
    )
  }

  records(manufacturerId: number): Iterable<CredentialRecord> {
    return this.#manufacturers.get(manufacturerId)?.records ?? []
  }

  /** @throws {@link SnapshotContentError} always. */
  releases(): never {
    throw new SnapshotContentError({ what: "firmware releases" })
  }

  /** @throws {@link SnapshotContentError} of a manufacturer or registry that it is not about. */
  logHead(contract: LoggedContract, manufacturerId: number): LogHead {
    const head = this.#manufacturers.get(manufacturerId)?.logHeads[contract]
    if (head === undefined)
      throw new SnapshotContentError({ what: `${contract} log of manufacturer ${manufacturerId}` })
    return head
  }

  #batch(manufacturerId: number, series: number): SnapshotBatch | undefined {
    return this.#batches.get(manufacturerId)?.get(series)
  }

  #recordAt({ markedBy }: SnapshotBatch, manufacturerId: number, rank: number): CredentialRecord | undefined {
    return this.#manufacturers.get(manufacturerId)?.records[markedBy[rank] as number]
  }

  #bitMark(index: number): PlaceMark {
    const since = this.block.timestamp
    return { index, mark: "revoked", since, reason: 0, invalidityDate: undefined, subject: undefined }
  }
}

function markOf(index: number, { mark, changedAt, reason, invalidityDate, subject }: CredentialRecord): PlaceMark {
  return { index, mark: mark === "held" ? "held" : "revoked", since: changedAt, reason, invalidityDate, subject }
}

/** The places of both sets of a batch, ascending, each once. */
function* bothSets({ bits, marked }: SnapshotBatch): Generator<number> {
  const [one, other] = [bits.members(), marked.members()]
  let [a, b] = [one.next(), other.next()]
  while (a.done !== true || b.done !== true) {
    const next = Math.min(a.done === true ? Infinity : a.value, b.done === true ? Infinity : b.value)
    yield next
    if (a.done !== true && a.value === next) a = one.next()
    if (b.done !== true && b.value === next) b = other.next()
  }
}
