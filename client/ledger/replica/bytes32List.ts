/** A growing list of 32-octet values, kept in one piece of memory. */
export class Bytes32List {
  #bytes = new Uint8Array(1024)
  #length = 0

  get length(): number {
    return this.#length
  }

  push(value: Uint8Array): void {
    const offset = this.#length * 32
    if (offset === this.#bytes.length) {
      const larger = new Uint8Array(offset * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes.set(value, offset)
    this.#length += 1
  }

  /** A view of the value: it holds until the next change of the list. */
  at(index: number): Uint8Array | undefined {
    if (index < 0 || index >= this.#length) return undefined
    return this.#bytes.subarray(index * 32, index * 32 + 32)
  }

  /** Drops all but the first `length` values. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length)
  }
}
