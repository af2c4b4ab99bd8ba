import type { FindingList } from "./findingList.ts"
import { BytesColumn, NumberColumn } from "./columns.ts"
import { BytesTable } from "./bytesTable.ts"
import type { RowEvidence, SoundRow } from "./judgeRow.ts"
import { SourceNames } from "./sourceNames.ts"
import { HASH_BYTES } from "../merkle/limits.ts"

/** Stands for "its serial number names no index". */
export const NO_INDEX = 0xffff_ffff

// Two keys whose ids share 128 bits count as one: nobody finds such a pair by accident, and who makes one is refused.
const KEY_ID_BYTES = 16

const EVIDENCE: readonly RowEvidence[] = ["hash", "credential", "possession"]

/**
 * The sound rows of a batch to be, without duplicates, in columns: 53 bytes a row, 73 with device keys, and 8 to 16 for
 * the tables that find duplicates. Rows are called by their entry: their position among those that were kept at first.
 */
export class CollectedRows {
  readonly hashes = new BytesColumn(HASH_BYTES)
  readonly sources = new SourceNames()
  readonly notAfters = new NumberColumn("float64")
  readonly #rowNumbers = new NumberColumn("uint32")
  readonly #evidence = new BytesColumn(1)
  readonly #keyIds = new BytesColumn(KEY_ID_BYTES)
  readonly #entryOfKey = new NumberColumn("uint32")
  readonly #hashTable = new BytesTable(this.hashes)
  readonly #keyTable = new BytesTable(this.#keyIds)
  readonly #findings: FindingList
  #indexes: NumberColumn | undefined
  #dropped: Uint8Array | undefined
  #droppedCount = 0

  constructor(findings: FindingList) {
    this.#findings = findings
  }

  /** Entries, dropped ones too. */
  get length(): number {
    return this.hashes.length
  }

  get keptCount(): number {
    return this.length - this.#droppedCount
  }

  /** Whether any entry's serial number names its index. */
  get hasIndexes(): boolean {
    return this.#indexes !== undefined
  }

  /** Adds a row, unless its credential or its key is there already. */
  add(row: SoundRow, rowNumber: number): void {
    const { source, credentialHash, deviceKeyId, position } = row
    const twin = this.#hashTable.find(credentialHash)
    if (twin >= 0) return this.#refuse("duplicateCredential", row, rowNumber, twin)
    const key = deviceKeyId === undefined ? -1 : this.#keyTable.find(deviceKeyId)
    if (key >= 0) return this.#refuse("duplicateKey", row, rowNumber, this.#entryOfKey.at(key))

    const entry = this.hashes.length
    this.hashes.push(credentialHash)
    this.#hashTable.add(entry)
    if (deviceKeyId !== undefined) this.#addKey(deviceKeyId, entry)
    this.sources.add(source)
    this.notAfters.push(row.notAfter)
    this.#rowNumbers.push(rowNumber)
    this.#addIndex(position?.index, entry)
    this.#evidence.push(Uint8Array.of(EVIDENCE.indexOf(row.evidence)))
  }

  /** The entry with this credential hash, dropped or not; -1 if there is none. */
  find(hashes: Uint8Array, offset: number): number {
    return this.#hashTable.find(hashes, offset)
  }

  isKept(entry: number): boolean {
    return this.#dropped?.[entry] !== 1
  }

  evidenceOf(entry: number): RowEvidence {
    return EVIDENCE[this.#evidence.at(entry)[0] as number] as RowEvidence
  }

  /** The index that the entry's serial number names, or NO_INDEX. */
  indexOf(entry: number): number {
    return this.#indexes?.at(entry) ?? NO_INDEX
  }

  /** Takes an entry out again. */
  drop(
    entry: number,
    finding: { code: "duplicateEarlier" | "positionTaken" | "positionGap"; message: string; other?: string },
  ): void {
    if (!this.isKept(entry)) return
    this.#dropped ??= new Uint8Array(this.length)
    this.#dropped[entry] = 1
    this.#droppedCount++
    this.#findings.add({ ...finding, source: this.sources.at(entry), row: this.#rowNumbers.at(entry) })
  }

  /** Kept entries in the order of their rows. */
  *kept(): Generator<number> {
    for (let entry = 0; entry < this.length; entry++) if (this.isKept(entry)) yield entry
  }

  #refuse(code: "duplicateCredential" | "duplicateKey", { source }: SoundRow, row: number, entry: number): void {
    const other = this.sources.at(entry)
    const what = code === "duplicateCredential" ? "The same credential" : "Another credential for the same device key"
    this.#findings.add({
      code,
      source,
      row,
      other,
      message: `${what} is at ${other} (row ${this.#rowNumbers.at(entry)}).`,
    })
  }

  #addKey(deviceKeyId: Uint8Array, entry: number): void {
    this.#keyTable.add(this.#pushKey(deviceKeyId))
    this.#entryOfKey.push(entry)
  }

  #pushKey(deviceKeyId: Uint8Array): number {
    this.#keyIds.push(deviceKeyId)
    return this.#keyIds.length - 1
  }

  // Fleets without position serials pay nothing for the column.
  #addIndex(index: number | undefined, entry: number): void {
    if (index !== undefined && this.#indexes === undefined) {
      this.#indexes = new NumberColumn("uint32")
      for (let i = 0; i < entry; i++) this.#indexes.push(NO_INDEX)
    }
    this.#indexes?.push(index ?? NO_INDEX)
  }
}
