const ROWS_PER_CHUNK = 32_768

/** Byte strings of one length, one behind the other. Grows by chunks: nothing is copied, little is held in reserve. */
export class BytesColumn {
  readonly width: number
  readonly #chunks: Uint8Array[] = []
  #length = 0

  /** @param width Bytes of each entry. */
  constructor(width: number) {
    this.width = width
  }

  get length(): number {
    return this.#length
  }

  /** Appends the first `width` bytes of `bytes`. */
  push(bytes: Uint8Array): void {
    const at = this.#length % ROWS_PER_CHUNK
    if (at === 0) this.#chunks.push(new Uint8Array(ROWS_PER_CHUNK * this.width))
    const chunk = this.#chunks.at(-1) as Uint8Array
    for (let i = 0, to = at * this.width; i < this.width; i++) chunk[to + i] = bytes[i] as number
    this.#length++
  }

  /** The bytes of one entry, without a copy. */
  at(entry: number): Uint8Array {
    const start = (entry % ROWS_PER_CHUNK) * this.width
    return this.#chunkOf(entry).subarray(start, start + this.width)
  }

  /** Whether an entry has the `width` bytes at `offset`. */
  equals(entry: number, bytes: Uint8Array, offset: number): boolean {
    const chunk = this.#chunkOf(entry)
    const start = (entry % ROWS_PER_CHUNK) * this.width
    for (let i = 0; i < this.width; i++) if (chunk[start + i] !== bytes[offset + i]) return false
    return true
  }

  /** Writes an entry to `target[offset..]`. */
  copy(entry: number, target: Uint8Array, offset: number): void {
    const chunk = this.#chunkOf(entry)
    const start = (entry % ROWS_PER_CHUNK) * this.width
    for (let i = 0; i < this.width; i++) target[offset + i] = chunk[start + i] as number
  }

  #chunkOf(entry: number): Uint8Array {
    return this.#chunks[Math.floor(entry / ROWS_PER_CHUNK)] as Uint8Array
  }
}

/** Numbers in a typed array that grows by chunks. */
export class NumberColumn {
  readonly #chunks: (Uint32Array | Float64Array)[] = []
  readonly #make: () => Uint32Array | Float64Array
  #length = 0

  /** @param kind uint32, or float64 for integers up to 2^53-1. */
  constructor(kind: "uint32" | "float64") {
    this.#make = () => (kind === "uint32" ? new Uint32Array(ROWS_PER_CHUNK) : new Float64Array(ROWS_PER_CHUNK))
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    const at = this.#length % ROWS_PER_CHUNK
    if (at === 0) this.#chunks.push(this.#make())
    ;(this.#chunks.at(-1) as Uint32Array)[at] = value
    this.#length++
  }

  at(entry: number): number {
    return (this.#chunks[Math.floor(entry / ROWS_PER_CHUNK)] as Uint32Array)[entry % ROWS_PER_CHUNK] as number
  }
}
