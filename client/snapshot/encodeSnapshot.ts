import { equalBytes } from "../crypto/hex.ts"
import { sha256 } from "../crypto/sha256.ts"
import { SnapshotFieldError } from "../errors/snapshot.ts"
import type { Batch, CredentialRecord, LedgerKey, LoggedContract, Manufacturer } from "../ledger/ledger.ts"
import { BitWriter } from "./bits.ts"
import { ByteWriter } from "./byteWriter.ts"
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
  const logs = LOGGED_CONTRACTS.filter((contract) => contracts[contract] !== undefined)
  for (const manufacturer of manufacturers) writeManufacturer(writer, manufacturer, logs)
  const body = writer.written()
  writer.bytes(sha256(body).subarray(0, CHECKSUM_BYTES))
  return writer.written()
}

function writeManufacturer(writer: ByteWriter, entry: SnapshotManufacturer, logs: readonly LoggedContract[]): void {
  const { manufacturer, logHeads, keys, batches, records } = entry
  writeFacts(writer, manufacturer)
  for (const contract of logs) {
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
  const { controller, pendingController, proposedController, replacementAt, suspendedUntil } = manufacturer
  const flags =
    (pendingController === undefined ? 0 : MANUFACTURER_FLAG.pending) |
    (proposedController === undefined ? 0 : MANUFACTURER_FLAG.proposed) |
    (replacementAt === undefined ? 0 : MANUFACTURER_FLAG.replacementAt) |
    (suspendedUntil === undefined ? 0 : MANUFACTURER_FLAG.suspendedUntil)
  writer.hex(controller)
  writer.uint(MANUFACTURER_STATUSES.indexOf(manufacturer.status), 1)
  writer.time(manufacturer.statusSince)
  writer.uint(flags, 1)
  if (pendingController !== undefined) writer.hex(pendingController)
  if (proposedController !== undefined) writer.hex(proposedController)
  if (replacementAt !== undefined) writer.time(replacementAt)
  if (suspendedUntil !== undefined) writer.time(suspendedUntil)
  writer.uint(manufacturer.keyCount, 4)
}

function writeKey(writer: ByteWriter, key: LedgerKey): void {
  const { spki, revokedAt, compromisedSince } = key
  const p256 =
    spki.length === P256_PREFIX.length + P256_POINT_BYTES &&
    equalBytes(spki.subarray(0, P256_PREFIX.length), P256_PREFIX)
  const flags =
    (key.proven ? KEY_FLAG.proven : 0) |
    (revokedAt === undefined ? 0 : KEY_FLAG.revokedAt) |
    (compromisedSince === undefined ? 0 : KEY_FLAG.compromisedSince) |
    (p256 ? KEY_FLAG.p256 : 0)
  writer.uint(key.index, 4)
  writer.uint(KEY_PURPOSES.indexOf(key.purpose), 1)
  writer.uint(flags, 1)
  writer.time(key.registeredAt)
  writer.time(key.notBefore)
  writer.time(key.notAfter)
  if (revokedAt !== undefined) writer.time(revokedAt)
  if (compromisedSince !== undefined) writer.time(compromisedSince)
  if (p256) writer.bytes(spki.subarray(P256_PREFIX.length))
  else writeSized(writer, spki, "key")
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
  const changed = batch.changedAt !== 0 || batch.reason !== 0
  const flags =
    MARKS.indexOf(batch.mark) |
    (batch.byKey ? BATCH_FLAG.byKey : 0) |
    (batch.rawPublicKeys ? BATCH_FLAG.rawPublicKeys : 0) |
    (changed ? BATCH_FLAG.changed : 0)
  writer.uint(flags, 1)
  if (changed) {
    writer.time(batch.changedAt)
    writer.uint(batch.reason, 1)
  }
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
