import { mixBytes } from "../merkle/mixBytes.ts"
import type { BytesColumn } from "./columns.ts"

/** Finds the entries of a column by their bytes: open addressing, 4 to 8 bytes an entry beside the column itself. */
export class BytesTable {
  readonly #column: BytesColumn
  #slots = new Uint32Array(1024) // entry + 1; 0: free
  #count = 0

  constructor(column: BytesColumn) {
    this.#column = column
  }

  /** The entry that has the bytes at `offset`, or -1. */
  find(bytes: Uint8Array, offset = 0): number {
    const mask = this.#slots.length - 1
    for (let slot = this.#slotOf(bytes, offset); ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1
      if (entry < 0 || this.#column.equals(entry, bytes, offset)) return entry
    }
  }

  /** Lets an entry of the column be found; its bytes must be in no other. */
  add(entry: number): void {
    if (2 * this.#count >= this.#slots.length) this.#grow()
    this.#put(entry)
    this.#count++
  }

  #put(entry: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#slotOf(this.#column.at(entry), 0)
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = entry + 1
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    for (const slot of old) if (slot !== 0) this.#put(slot - 1)
  }

  #slotOf(bytes: Uint8Array, offset: number): number {
    return mixBytes(bytes, offset, this.#column.width, 0) & (this.#slots.length - 1)
  }
}
