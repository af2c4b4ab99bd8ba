import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { SnapshotTruncatedError } from "../errors/snapshot.ts"
import { BitReader } from "./bits.ts"

/** Reads fixed fields one after another; whatever is not there is an error. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  /** An unsigned big-endian integer of up to 6 octets. @throws {@link SnapshotTruncatedError} */
  uint(octets: number): number {
    const at = this.#take(octets)
    let value = 0
    for (let i = 0; i < octets; i++) value = value * 256 + (this.#bytes[at + i] as number)
    return value
  }

  /** @throws {@link SnapshotTruncatedError} */
  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8))
  }

  /** A part of what is read, not a copy. @throws {@link SnapshotTruncatedError} */
  bytes(octets: number): Uint8Array {
    const at = this.#take(octets)
    return this.#bytes.subarray(at, at + octets)
  }

  /** @throws {@link SnapshotTruncatedError} */
  hex(octets: number): Hex {
    return toHex(this.bytes(octets))
  }

  /** A 40-bit time, of which zero means that there is none. @throws {@link SnapshotTruncatedError} */
  time(): number | undefined {
    const seconds = this.uint(5)
    return seconds === 0 ? undefined : seconds
  }

  /** Lets `read` read bits; what is left of the last octet is passed over. */
  bits(read: (bits: BitReader) => void): void {
    const bits = new BitReader(this.#bytes, this.#offset)
    read(bits)
    this.#offset = bits.nextByte
  }

  #take(octets: number): number {
    if (octets > this.left) throw new SnapshotTruncatedError({ offset: this.#bytes.length })
    const at = this.#offset
    this.#offset += octets
    return at
  }
}
