import { fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"

/** Writes fixed fields one behind the other, in one growing buffer. */
export class ByteWriter {
  #bytes = new Uint8Array(1024)
  #length = 0

  /** An unsigned big-endian integer of up to 6 octets. */
  uint(value: number, octets: number): void {
    const at = this.#grow(octets)
    for (let i = octets - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) this.#bytes[at + i] = rest % 256
  }

  uint64(value: bigint): void {
    const at = this.#grow(8)
    new DataView(this.#bytes.buffer).setBigUint64(at, value)
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length) // before #bytes is looked at, which it may replace
    this.#bytes.set(bytes, at)
  }

  hex(hex: Hex): void {
    this.bytes(fromHex(hex))
  }

  /** A 40-bit time; undefined is zero. */
  time(seconds: number | undefined): void {
    this.uint(seconds ?? 0, 5)
  }

  /** What was written so far. */
  written(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #grow(octets: number): number {
    const at = this.#length
    this.#length += octets
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
    }
    return at
  }
}
