import { toHex } from "../crypto/hex.ts"
import { SnapshotMismatchError } from "../errors/snapshot.ts"
import type { LedgerView } from "../ledger/ledger.ts"
import type { Snapshot, SnapshotBatch, SnapshotManufacturer } from "./snapshot.ts"

/** How much was compared. */
export type ComparedStatements = { readonly batches: number; readonly words: number; readonly records: number }

type Progress = ((done: number, total: number) => void) | undefined

/** 2^20 places: 128 KiB in one answer. */
const WORDS_PER_READ = 4096
/** Questions under way at once, which readers join into few round trips. */
const RECORDS_PER_READ = 256

/**
 * Asks the ledger about everything that a snapshot says: manufacturers, keys, batches, each status word, each record.
 *
 * @throws {@link SnapshotMismatchError} at the first difference.
 */
export async function compareStatements(
  snapshot: Snapshot,
  view: LedgerView,
  onProgress?: Progress,
): Promise<ComparedStatements> {
  const { manufacturers, manufacturerId } = snapshot
  const all = manufacturers.flatMap(({ batches }) => batches)
  const total =
    all.reduce((sum, { batch }) => sum + wordsOf(batch.size), 0) +
    manufacturers.reduce((sum, { records }) => sum + records.length, 0)
  let done = 0
  const advance = (count: number): void => {
    done += count
    onProgress?.(done, total)
  }

  const words = { compared: 0 }
  let records = 0
  for (const entry of manufacturers) {
    await compareFacts(entry, view)
    for (const batch of entry.batches) words.compared += await compareBatch(batch, view, advance)
    records += await compareRecords(entry, view, advance)
  }
  if (manufacturerId === undefined) {
    const next = Math.max(0, ...manufacturers.map(({ manufacturer }) => manufacturer.id)) + 1
    assertSame(`manufacturer ${next}`, await view.manufacturer(next), undefined)
  }
  return { batches: all.length, words: words.compared, records }
}

async function compareFacts({ manufacturer, keys }: SnapshotManufacturer, view: LedgerView): Promise<void> {
  const { id, keyCount } = manufacturer
  assertSame(`manufacturer ${id}`, await view.manufacturer(id), manufacturer)
  const told = new Map(keys.map((key) => [key.index, key]))
  for (let index = 1; index <= keyCount; index++) {
    assertSame(`key ${index} of manufacturer ${id}`, await view.key(id, index), told.get(index))
    told.delete(index)
  }
  for (const [index, key] of told) assertSame(`key ${index} of manufacturer ${id}`, undefined, key)
}

async function compareBatch(
  { batch, bits }: SnapshotBatch,
  view: LedgerView,
  advance: (count: number) => void,
): Promise<number> {
  const { manufacturerId, series, size } = batch
  const name = `batch ${series} of manufacturer ${manufacturerId}`
  assertSame(name, await view.batch(manufacturerId, series), batch)
  const total = wordsOf(size)
  for (let first = 0; first < total; first += WORDS_PER_READ) {
    const count = Math.min(WORDS_PER_READ, total - first)
    const words = await view.words(manufacturerId, series, first, count)
    for (let i = 0; i < count; i++) {
      const [expected, found] = [words[i] as bigint, bits.word(first + i)]
      if (expected === found) continue
      const what = `status word ${first + i} of ${name}`
      throw new SnapshotMismatchError({ what, expected: hexOf(expected), found: hexOf(found) })
    }
    advance(count)
  }
  return total
}

async function compareRecords(
  { manufacturer, records }: SnapshotManufacturer,
  view: LedgerView,
  advance: (count: number) => void,
): Promise<number> {
  for (let first = 0; first < records.length; first += RECORDS_PER_READ) {
    const some = records.slice(first, first + RECORDS_PER_READ)
    const found = await Promise.all(some.map(({ subject }) => view.record(manufacturer.id, subject)))
    some.forEach((record, i) => {
      assertSame(`record of ${record.subject} of manufacturer ${manufacturer.id}`, found[i], record)
    })
    advance(some.length)
  }
  return records.length
}

/** @throws {@link SnapshotMismatchError} naming the first field that differs. */
function assertSame(what: string, onLedger: object | undefined, told: object | undefined): void {
  if (onLedger === undefined || told === undefined) {
    if (onLedger === told) return
    const [expected, found] = [onLedger, told].map((value) => (value === undefined ? "absent" : "there"))
    throw new SnapshotMismatchError({ what, expected: expected as string, found: found as string })
  }
  const [ledgerFields, toldFields] = [onLedger, told] as Record<string, unknown>[]
  for (const field of Object.keys({ ...ledgerFields, ...toldFields })) {
    const [expected, found] = [textOf(ledgerFields?.[field]), textOf(toldFields?.[field])]
    if (expected !== found) throw new SnapshotMismatchError({ what: `${field} of ${what}`, expected, found })
  }
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return toHex(value)
  return value === undefined ? "none" : JSON.stringify(value)
}

function wordsOf(size: number): number {
  return Math.ceil(size / 256)
}

function hexOf(word: bigint): string {
  return `0x${word.toString(16).padStart(64, "0")}`
}
