import { SnapshotTruncatedError } from "../errors/snapshot.ts"

/** Writes bits, the most significant of each octet first; the last octet is filled with zeros. */
export class BitWriter {
  #bytes = new Uint8Array(64)
  #length = 0

  /** The lowest `count` bits of `value`, 0..32 of them. */
  write(value: number, count: number): void {
    for (let bit = count - 1; bit >= 0; bit--) this.#push((value >>> bit) & 1)
  }

  /** `count` ones, then a zero. */
  writeUnary(count: number): void {
    for (let i = 0; i < count; i++) this.#push(1)
    this.#push(0)
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, Math.ceil(this.#length / 8))
  }

  #push(bit: number): void {
    const at = Math.floor(this.#length / 8)
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * at)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    if (bit === 1) (this.#bytes[at] as number) |= 0x80 >>> (this.#length % 8)
    this.#length++
  }
}

/** Reads what {@link BitWriter} wrote. */
export class BitReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  /** @param from The octet to begin with. */
  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes
    this.#end = bytes.length * 8
    this.#at = from * 8
  }

  /** The first octet that no bit was read of. */
  get nextByte(): number {
    return Math.ceil(this.#at / 8)
  }

  get bitsLeft(): number {
    return this.#end - this.#at
  }

  /** @throws {@link SnapshotTruncatedError} */
  read(count: number): number {
    if (count > this.bitsLeft) throw new SnapshotTruncatedError({ offset: this.#bytes.length })
    let value = 0
    for (let i = 0; i < count; i++) value = ((value << 1) | this.#bit()) >>> 0
    return value
  }

  /** How many ones come before the next zero, which is read too. @throws {@link SnapshotTruncatedError} */
  readUnary(): number {
    let count = 0
    for (;;) {
      if (this.#at === this.#end) throw new SnapshotTruncatedError({ offset: this.#bytes.length })
      if (this.#bit() === 0) return count
      count++
    }
  }

  #bit(): number {
    const bit = ((this.#bytes[Math.floor(this.#at / 8)] as number) >>> (7 - (this.#at % 8))) & 1
    this.#at++
    return bit
  }
}
