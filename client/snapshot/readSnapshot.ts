import { concatBytes, equalBytes, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { sha256 } from "../crypto/sha256.ts"
import {
  SnapshotChecksumError,
  SnapshotFieldError,
  SnapshotMagicError,
  SnapshotSetError,
  SnapshotSpellingError,
  SnapshotTooLargeError,
  SnapshotTruncatedError,
  SnapshotVersionError,
} from "../errors/snapshot.ts"
import type { Batch, CredentialRecord, LedgerKey, LogHead, Manufacturer } from "../ledger/ledger.ts"
import { ByteReader } from "./byteReader.ts"
import { encodeSnapshot } from "./encodeSnapshot.ts"
import {
  BATCH_FLAG,
  CHECKSUM_BYTES,
  KEY_FLAG,
  KEY_PURPOSES,
  MAGIC,
  MANUFACTURER_FLAG,
  MANUFACTURER_STATUSES,
  MARKS,
  P256_POINT_BYTES,
  P256_PREFIX,
  RECORD_FLAG,
  VERSION,
  ordinalBits,
} from "./layout.ts"
import { readPlaceSet } from "./placeSetCodec.ts"
import type { PlaceSet } from "./placeSet.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot.ts"

export type ReadSnapshotOptions = {
  /** Largest file. Default: 64 MiB. Memory may be some ten times that. */
  maxBytes?: number
}

const MAX_BYTES = 64 * 2 ** 20
const MAX_RUNS = 2 ** 24
const MAX_MARKED = 2 ** 22
const MAX_TIME = 2 ** 40 - 1
const NO_ADDRESS = `0x${"00".repeat(20)}`

/**
 * Reads a snapshot, in its one spelling only. What comes back is well formed and nothing more: see `checkSnapshot`.
 *
 * @throws a named child of {@link SnapshotMalformedError} for each cause. {@link SnapshotTooLargeError}
 */
export function readSnapshot(bytes: Uint8Array, options: ReadSnapshotOptions = {}): Snapshot {
  const { maxBytes = MAX_BYTES } = options
  if (bytes.length > maxBytes) throw new SnapshotTooLargeError({ what: "bytes", limit: maxBytes })
  const magic = bytes.subarray(0, MAGIC.length)
  if (!equalBytes(magic, MAGIC)) throw new SnapshotMagicError({ found: toHex(magic) })
  if (bytes.length < MAGIC.length + 1 + CHECKSUM_BYTES) throw new SnapshotTruncatedError({ offset: bytes.length })
  if (bytes[MAGIC.length] !== VERSION) throw new SnapshotVersionError({ found: bytes[MAGIC.length] as number })
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  const [expected, found] = [toHex(bytes.subarray(-CHECKSUM_BYTES)), toHex(sha256(body).subarray(0, CHECKSUM_BYTES))]
  if (expected !== found) throw new SnapshotChecksumError({ expected, found })

  const snapshot = new SnapshotReader(body).read()
  assertSpelling(bytes, encodeSnapshot(snapshot))
  return snapshot
}

function assertSpelling(bytes: Uint8Array, expected: Uint8Array): void {
  if (equalBytes(bytes, expected)) return
  const offset = bytes.findIndex((byte, at) => byte !== expected[at])
  throw new SnapshotSpellingError({ offset: offset < 0 ? bytes.length : offset })
}

class SnapshotReader {
  readonly #reader: ByteReader
  #runsLeft = MAX_RUNS
  #markedLeft = MAX_MARKED
  #hasFirmware = false

  constructor(body: Uint8Array) {
    this.#reader = new ByteReader(body)
  }

  read(): Snapshot {
    const reader = this.#reader
    reader.bytes(MAGIC.length + 1)
    const scope = within("scope", reader.uint(1), 0, 1)
    reader.bytes(2)
    const chainId = safeInteger("chain id", reader.uint64())
    const [manufacturersAddress, devices, firmware] = [reader.hex(20), reader.hex(20), reader.hex(20)]
    this.#hasFirmware = firmware !== NO_ADDRESS
    const block = {
      number: safeInteger("block number", reader.uint64()),
      hash: reader.hex(32),
      timestamp: reader.uint(5),
    }
    const manufacturers = this.#list(
      "manufacturer",
      ({ manufacturer }) => manufacturer.id,
      () => this.#manufacturer(),
    )
    if (reader.left > 0)
      throw new SnapshotFieldError({ field: "end", value: `${reader.left} bytes early`, allowed: "none" })
    if (scope === 1 && manufacturers.length !== 1) {
      throw new SnapshotFieldError({ field: "number of manufacturers", value: `${manufacturers.length}`, allowed: "1" })
    }
    return {
      chainId,
      contracts: {
        manufacturers: manufacturersAddress,
        devices,
        firmware: this.#hasFirmware ? firmware : undefined,
      },
      manufacturerId: scope === 1 ? manufacturers[0]?.manufacturer.id : undefined,
      block,
      manufacturers,
    }
  }

  #manufacturer(): SnapshotManufacturer {
    const manufacturer = this.#facts()
    const logHeads = {
      manufacturers: this.#logHead(),
      devices: this.#logHead(),
      firmware: this.#hasFirmware ? this.#logHead() : undefined,
    }
    const keys = this.#list(
      "key",
      ({ index }) => index,
      () => this.#key(manufacturer.id),
    )
    const records = this.#list(
      "record",
      ({ subject }) => subject,
      () => this.#record(manufacturer.id),
    )
    const batches = this.#list(
      "batch",
      ({ batch }) => batch.series,
      () => this.#batch(manufacturer.id, records),
    )
    return { manufacturer, logHeads, keys, batches, records }
  }

  #facts(): Manufacturer {
    const reader = this.#reader
    const id = within("manufacturer's id", reader.uint(4), 1, 0xffff_ffff)
    const [name, metadataURI] = [this.#text("name"), this.#text("metadata URI")]
    const controller = reader.hex(20)
    const status = known(MANUFACTURER_STATUSES, reader.uint(1), "manufacturer's status")
    const statusSince = reader.uint(5)
    const flags = within("manufacturer's flags", reader.uint(1), 0, MANUFACTURER_FLAG.known)
    return {
      id,
      name,
      metadataURI,
      controller,
      pendingController: flags & MANUFACTURER_FLAG.pending ? reader.hex(20) : undefined,
      proposedController: flags & MANUFACTURER_FLAG.proposed ? reader.hex(20) : undefined,
      replacementAt: flags & MANUFACTURER_FLAG.replacementAt ? this.#time("replacement") : undefined,
      status,
      statusSince,
      suspendedUntil: flags & MANUFACTURER_FLAG.suspendedUntil ? this.#time("end of suspension") : undefined,
      keyCount: reader.uint(4),
    }
  }

  #logHead(): LogHead {
    return { head: this.#reader.hex(32), length: this.#reader.uint(6) }
  }

  #key(manufacturerId: number): LedgerKey {
    const reader = this.#reader
    const index = within("key's index", reader.uint(4), 1, 0xffff_ffff)
    const purpose = known(KEY_PURPOSES, reader.uint(1), "key's purpose")
    const flags = within("key's flags", reader.uint(1), 0, KEY_FLAG.known)
    const [registeredAt, notBefore, notAfter] = [reader.uint(5), reader.uint(5), reader.uint(5)]
    const revokedAt = flags & KEY_FLAG.revokedAt ? this.#time("revocation") : undefined
    const compromisedSince = flags & KEY_FLAG.compromisedSince ? this.#time("compromise") : undefined
    const spki =
      flags & KEY_FLAG.p256 ? concatBytes(P256_PREFIX, reader.bytes(P256_POINT_BYTES)) : this.#sized().slice()
    const proven = (flags & KEY_FLAG.proven) !== 0
    const times = { registeredAt, notBefore, notAfter, revokedAt, compromisedSince }
    return { manufacturerId, index, keyId: keyIdOf(spki), purpose, proven, ...times, spki }
  }

  #record(manufacturerId: number): CredentialRecord {
    const reader = this.#reader
    const subject = reader.hex(32)
    const flags = within("record's flags", reader.uint(1), 0, RECORD_FLAG.known)
    const mark = known(MARKS, flags & RECORD_FLAG.mark, "record's mark")
    const changed = (flags & RECORD_FLAG.changed) !== 0
    const registered = (flags & RECORD_FLAG.registered) !== 0
    const changedAt = changed ? reader.uint(5) : 0
    const reason = changed ? reader.uint(1) : 0
    const registeredAt = registered ? this.#time("registration") : undefined
    const notAfter = registered ? reader.time() : undefined
    const keyIndex = registered ? reader.uint(4) : 0
    const invalidityDate = flags & RECORD_FLAG.invalidityDate ? this.#time("invalidity") : undefined
    if (mark === "none" && registeredAt === undefined && !changed) {
      throw new SnapshotFieldError({ field: "record", value: `${subject} of nothing`, allowed: "registered or marked" })
    }
    return { manufacturerId, subject, registeredAt, notAfter, keyIndex, mark, changedAt, reason, invalidityDate }
  }

  #batch(manufacturerId: number, records: readonly CredentialRecord[]): SnapshotBatch {
    const facts = this.#batchFacts(manufacturerId)
    const bits = this.#placeSet(facts.size)
    const marked = this.#placeSet(facts.size)
    const markedBy = this.#markedBy(marked, records)
    return { batch: { ...facts, revokedCount: bits.count }, bits, marked, markedBy }
  }

  #batchFacts(manufacturerId: number): Omit<Batch, "revokedCount"> {
    const reader = this.#reader
    const series = within("batch's series", reader.uint(4), 1, 0xffff_ffff)
    const root = reader.hex(32)
    const size = within("batch's size", reader.uint(4), 1, 0xffff_ffff)
    const keyIndex = reader.uint(4)
    const [registeredAt, notAfter] = [reader.uint(5), reader.uint(5)]
    const flags = within("batch's flags", reader.uint(1), 0, BATCH_FLAG.known)
    const mark = known(MARKS, flags & BATCH_FLAG.mark, "batch's mark")
    const changed = (flags & BATCH_FLAG.changed) !== 0
    const [changedAt, reason] = changed ? [reader.uint(5), reader.uint(1)] : [0, 0]
    const kind = {
      byKey: (flags & BATCH_FLAG.byKey) !== 0,
      rawPublicKeys: (flags & BATCH_FLAG.rawPublicKeys) !== 0,
    }
    return { manufacturerId, series, root, size, keyIndex, registeredAt, notAfter, mark, ...kind, changedAt, reason }
  }

  #placeSet(size: number): PlaceSet {
    const set = readPlaceSet(this.#reader, size, this.#runsLeft)
    this.#runsLeft -= set.runCount
    return set
  }

  #markedBy(marked: PlaceSet, records: readonly CredentialRecord[]): Uint32Array {
    const { offset } = this.#reader
    const width = ordinalBits(records.length)
    // A place costs no bits where there is one record, so the number of places is not bounded by what is left.
    if (marked.count > 0 && records.length === 0) throw new SnapshotSetError({ offset, problem: "marked by no record" })
    if (marked.count > this.#markedLeft) throw new SnapshotTooLargeError({ what: "marked places", limit: MAX_MARKED })
    this.#markedLeft -= marked.count
    if (marked.count * width > this.#reader.left * 8) throw new SnapshotTruncatedError({ offset })
    const markedBy = new Uint32Array(marked.count)
    this.#reader.bits((bits) => {
      for (let i = 0; i < markedBy.length; i++) {
        const record = bits.read(width)
        const mark = records[record]?.mark ?? "none"
        if (mark === "none") throw new SnapshotSetError({ offset, problem: `marked by record ${record}` })
        markedBy[i] = record
      }
    })
    return markedBy
  }

  /** Items in ascending order of their keys, each once. */
  #list<Item>(field: string, keyOf: (item: Item) => number | Hex, read: () => Item): Item[] {
    const count = this.#reader.uint(4)
    const items: Item[] = []
    let last: number | Hex | undefined
    for (let i = 0; i < count; i++) {
      const item = read()
      const key = keyOf(item)
      if (last !== undefined && key <= last) {
        throw new SnapshotFieldError({ field, value: `${key} after ${last}`, allowed: "ascending, each once" })
      }
      last = key
      items.push(item)
    }
    return items
  }

  /** A time that is there, and so is not zero. */
  #time(field: string): number {
    return within(field, this.#reader.uint(5), 1, MAX_TIME)
  }

  #text(field: string): string {
    const bytes = this.#sized()
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw new SnapshotFieldError({ field, value: "not UTF-8", allowed: "UTF-8" })
    }
  }

  #sized(): Uint8Array {
    return this.#reader.bytes(this.#reader.uint(2))
  }
}

function known<Value>(values: readonly (Value | undefined)[], number: number, field: string): Value {
  const value = values[number]
  if (value !== undefined) return value
  throw new SnapshotFieldError({ field, value: String(number), allowed: `below ${values.length}` })
}

function within(field: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value
  throw new SnapshotFieldError({ field, value: String(value), allowed: `${min} to ${max}` })
}

function safeInteger(field: string, value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw new SnapshotFieldError({ field, value: String(value), allowed: "below 2^53" })
}
