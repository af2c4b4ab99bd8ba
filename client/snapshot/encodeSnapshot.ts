import { sha256 } from "../crypto/sha256.ts"
import { SnapshotFieldError } from "../errors/snapshot.ts"
import type { Batch, CredentialRecord, LedgerKey, Manufacturer } from "../ledger/ledger.ts"
import { BitWriter } from "./bits.ts"
import { ByteWriter } from "./byteWriter.ts"
import { KEY_PURPOSES, MAGIC, MANUFACTURER_STATUSES, MARKS, RECORD_FLAG, VERSION, ordinalBits } from "./layout.ts"
import { encodePlaceSet } from "./placeSetCodec.ts"
import { LOGGED_CONTRACTS } from "./snapshot.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot.ts"

const NO_ADDRESS = `0x${"00".repeat(20)}` as const
const NO_HASH = `0x${"00".repeat(32)}` as const

/** The one spelling of a snapshot: docs/formats.md, "Snapshot". @throws {@link SnapshotFieldError} */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const writer = new ByteWriter()
  const { contracts, block, manufacturers } = snapshot
  writer.bytes(MAGIC)
  writer.uint(VERSION, 1)
  writer.uint(snapshot.manufacturerId === undefined ? 0 : 1, 1)
  writer.uint(0, 2)
  writer.uint64(BigInt(snapshot.chainId))
  writer.hex(contracts.manufacturers)
  writer.hex(contracts.devices)
  writer.hex(contracts.firmware ?? NO_ADDRESS)
  writer.uint64(BigInt(block.number))
  writer.hex(block.hash)
  writer.time(block.timestamp)
  writer.uint(manufacturers.length, 4)
  for (const manufacturer of manufacturers) writeManufacturer(writer, manufacturer)
  const body = writer.written()
  writer.bytes(sha256(body))
  return writer.written()
}

function writeManufacturer(writer: ByteWriter, entry: SnapshotManufacturer): void {
  const { manufacturer, logHeads, keys, batches, records } = entry
  writeFacts(writer, manufacturer)
  for (const contract of LOGGED_CONTRACTS) {
    const { head, length } = logHeads[contract] ?? { head: NO_HASH, length: 0 }
    writer.hex(head)
    writer.uint(length, 6)
  }
  writer.uint(keys.length, 4)
  for (const key of keys) writeKey(writer, key)
  writer.uint(records.length, 4)
  for (const record of records) writeRecord(writer, record)
  writer.uint(batches.length, 4)
  for (const batch of batches) writeBatch(writer, batch, records.length)
}

function writeFacts(writer: ByteWriter, manufacturer: Manufacturer): void {
  writer.uint(manufacturer.id, 4)
  writeText(writer, manufacturer.name, "name")
  writeText(writer, manufacturer.metadataURI, "metadata URI")
  writer.hex(manufacturer.controller)
  writer.hex(manufacturer.pendingController ?? NO_ADDRESS)
  writer.hex(manufacturer.proposedController ?? NO_ADDRESS)
  writer.time(manufacturer.replacementAt)
  writer.uint(MANUFACTURER_STATUSES.indexOf(manufacturer.status), 1)
  writer.time(manufacturer.statusSince)
  writer.time(manufacturer.suspendedUntil)
  writer.uint(manufacturer.keyCount, 4)
}

function writeKey(writer: ByteWriter, key: LedgerKey): void {
  writer.uint(key.index, 4)
  writer.hex(key.keyId)
  writer.uint(KEY_PURPOSES.indexOf(key.purpose), 1)
  writer.uint(key.proven ? 1 : 0, 1)
  writer.time(key.registeredAt)
  writer.time(key.notBefore)
  writer.time(key.notAfter)
  writer.time(key.revokedAt)
  writer.time(key.compromisedSince)
  writeSized(writer, key.spki, "key")
}

function writeRecord(writer: ByteWriter, record: CredentialRecord): void {
  const changed = record.changedAt !== 0 || record.reason !== 0
  const flags =
    MARKS.indexOf(record.mark) |
    (changed ? RECORD_FLAG.changed : 0) |
    (record.registeredAt === undefined ? 0 : RECORD_FLAG.registered) |
    (record.invalidityDate === undefined ? 0 : RECORD_FLAG.invalidityDate)
  writer.hex(record.subject)
  writer.uint(flags, 1)
  if (changed) {
    writer.time(record.changedAt)
    writer.uint(record.reason, 1)
  }
  if (record.registeredAt !== undefined) {
    writer.time(record.registeredAt)
    writer.time(record.notAfter)
    writer.uint(record.keyIndex, 4)
  }
  if (record.invalidityDate !== undefined) writer.time(record.invalidityDate)
}

function writeBatch(writer: ByteWriter, { batch, bits, marked, markedBy }: SnapshotBatch, records: number): void {
  writeBatchFacts(writer, batch)
  writer.bytes(encodePlaceSet(bits))
  writer.bytes(encodePlaceSet(marked))
  const ordinals = new BitWriter()
  for (const record of markedBy) ordinals.write(record, ordinalBits(records))
  writer.bytes(ordinals.bytes())
}

function writeBatchFacts(writer: ByteWriter, batch: Batch): void {
  writer.uint(batch.series, 4)
  writer.hex(batch.root)
  writer.uint(batch.size, 4)
  writer.uint(batch.keyIndex, 4)
  writer.time(batch.registeredAt)
  writer.time(batch.notAfter)
  writer.uint(MARKS.indexOf(batch.mark), 1)
  writer.uint((batch.byKey ? 1 : 0) | (batch.rawPublicKeys ? 2 : 0), 1)
  writer.time(batch.changedAt)
  writer.uint(batch.reason, 1)
}

function writeText(writer: ByteWriter, text: string, field: string): void {
  writeSized(writer, new TextEncoder().encode(text), field)
}

function writeSized(writer: ByteWriter, bytes: Uint8Array, field: string): void {
  if (bytes.length > 0xffff) {
    throw new SnapshotFieldError({ field, value: `of ${bytes.length} octets`, allowed: "up to 65535 octets" })
  }
  writer.uint(bytes.length, 2)
  writer.bytes(bytes)
}
