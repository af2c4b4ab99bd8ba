/** Numbers by 64-bit tag, given as two signed halves: open addressing in shards, 12 bytes a slot, at most 15.4 bytes an entry once past a few thousand. */
export class TagTable {
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => new Shard())
  #count = 0

  /** Entries, those that were dropped included until their shard is next made anew. */
  get count(): number {
    return this.#count
  }

  /** Bytes that the table takes. */
  get bytes(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.bytes, 0)
  }

  /** Makes room for `more` entries at once, which is faster than growing with each. */
  reserve(more: number): void {
    for (const shard of this.#shards) shard.reserve(Math.ceil(more / SHARDS))
  }

  /**
   * Adds an entry; several may have one tag.
   *
   * @param value 0..2^31-2.
   * @returns how many had this tag already
   */
  add(high: number, low: number, value: number): number {
    this.#count++
    return this.#shardOf(high).add(high, low, value)
  }

  /** The value of the entry first added under this tag, {@link ABSENT}, or {@link SEVERAL} when more were. */
  find(high: number, low: number): number {
    return this.#shardOf(high).find(high, low)
  }

  /** The values of all entries under this tag, in no particular order. */
  findAll(high: number, low: number): number[] {
    return this.#shardOf(high).findAll(high, low)
  }

  /** Every tag that more than one entry has. */
  *severals(): Generator<readonly [high: number, low: number]> {
    for (const shard of this.#shards) yield* shard.severals()
  }

  /** Drops the entries whose value `keep` refuses. */
  filter(keep: (value: number) => boolean): void {
    this.#count = 0
    for (const shard of this.#shards) this.#count += shard.filter(keep)
  }

  #shardOf(high: number): Shard {
    return this.#shards[high >>> SHARD_SHIFT] as Shard
  }
}

/** No entry has the tag. */
export const ABSENT = -1
/** More than one entry has the tag: ask for all. */
export const SEVERAL = -2
/** The largest value that an entry may have. */
export const MAX_TAG_VALUE = 0x7fff_fffe

const SHARD_SHIFT = 26
const SHARDS = 2 ** (32 - SHARD_SHIFT)
/** Each slot: high half, low half, value + 1 (0: free) with the top bit set where another entry has the same tag. */
const SLOT = 3
const MORE = 0x8000_0000 | 0
const LEAST_SLOTS = 4
// Shards grow one at a time, so that the table never stands twice in memory.
const FULLEST = 0.84
const AFTER_GROWTH = 0.785

class Shard {
  #slots = new Int32Array(LEAST_SLOTS * SLOT)
  #capacity = LEAST_SLOTS
  #count = 0

  get bytes(): number {
    return this.#slots.byteLength
  }

  reserve(more: number): void {
    if (this.#count + more <= this.#capacity * FULLEST) return
    this.#remake(Math.ceil((this.#count + more) / AFTER_GROWTH) + 1)
  }

  add(high: number, low: number, value: number): number {
    this.reserve(1)
    return this.#put(high, low, value)
  }

  find(high: number, low: number): number {
    const slots = this.#slots
    const end = slots.length
    for (let at = this.#home(low); ;) {
      const value = slots[at + 2] as number
      if (value === 0) return ABSENT
      if (slots[at + 1] === low && slots[at] === high) return value < 0 ? SEVERAL : value - 1
      at += SLOT
      if (at === end) at = 0
    }
  }

  findAll(high: number, low: number): number[] {
    const slots = this.#slots
    const found: number[] = []
    for (let at = this.#home(low); slots[at + 2] !== 0; at = this.#next(at)) {
      if (slots[at + 1] === low && slots[at] === high) found.push(valueOf(slots[at + 2] as number))
    }
    return found
  }

  *severals(): Generator<readonly [number, number]> {
    const slots = this.#slots
    for (let at = 0; at < slots.length; at += SLOT) {
      const [high, low, value] = [slots[at], slots[at + 1], slots[at + 2]] as [number, number, number]
      if (value < 0) yield [high, low]
    }
  }

  filter(keep: (value: number) => boolean): number {
    this.#remake(this.#capacity, keep)
    return this.#count
  }

  #remake(capacity: number, keep?: (value: number) => boolean): void {
    const old = this.#slots
    this.#slots = new Int32Array(capacity * SLOT)
    this.#capacity = capacity
    this.#count = 0
    for (let at = 0; at < old.length; at += SLOT) {
      const stored = old[at + 2] as number
      if (stored === 0) continue
      const value = valueOf(stored)
      if (keep === undefined || keep(value)) this.#put(old[at] as number, old[at + 1] as number, value)
    }
  }

  #put(high: number, low: number, value: number): number {
    const slots = this.#slots
    let at = this.#home(low)
    let same = 0
    for (; slots[at + 2] !== 0; at = this.#next(at)) {
      if (slots[at + 1] !== low || slots[at] !== high) continue
      // Only the entry that is met first needs to tell of the others.
      if (same === 0) slots[at + 2] = (slots[at + 2] as number) | MORE
      same++
    }
    slots[at] = high
    slots[at + 1] = low
    slots[at + 2] = value + 1
    this.#count++
    return same
  }

  // Scaled, not masked: the table is as long as it must be, not as the next power of two.
  #home(low: number): number {
    return Math.floor(((low >>> 0) / 2 ** 32) * this.#capacity) * SLOT
  }

  #next(at: number): number {
    return at + SLOT === this.#slots.length ? 0 : at + SLOT
  }
}

function valueOf(stored: number): number {
  return (stored & ~MORE) - 1
}
