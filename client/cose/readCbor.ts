import { CborSimple, CborTag } from "./cborItem.ts"
import type { CborValue } from "./cborItem.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The value of one CBOR item that {@link assertStrictCbor} let through. Nothing in it shares memory with `bytes`. */
export function readCbor(bytes: Uint8Array): CborValue {
  return new Reader(bytes).item()
}

/** Goes through items whose lengths, depth and text were looked at before. RFC 8949, 3. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  item(): CborValue {
    const first = this.#view.getUint8(this.#at++)
    const major = first >> 5
    const info = first & 31
    if (major === 7) return this.#simple(info)
    const argument = this.#argument(info)
    switch (major) {
      case 0:
        return argument
      case 1:
        // Of 2^53 - 1, the last safe integer, this makes -2^53, which is none.
        return plainInteger(-1n - BigInt(argument))
      case 2:
        return new Uint8Array(this.#octets(Number(argument)))
      case 3:
        return utf8.decode(this.#octets(Number(argument)))
      case 4:
        return Array.from({ length: Number(argument) }, () => this.item())
      case 5:
        return new Map(
          Array.from({ length: Number(argument) }, (): [CborValue, CborValue] => [this.item(), this.item()]),
        )
      default:
        return new CborTag(argument, this.item())
    }
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info
    const at = this.#at
    this.#at += 2 ** (info - 24)
    if (info === 24) return this.#view.getUint8(at)
    if (info === 25) return this.#view.getUint16(at)
    if (info === 26) return this.#view.getUint32(at)
    return plainInteger(this.#view.getBigUint64(at))
  }

  #simple(info: number): CborValue {
    const at = this.#at
    if (info === 25) {
      this.#at += 2
      return halfFloat(this.#view.getUint16(at))
    }
    if (info === 26) {
      this.#at += 4
      return this.#view.getFloat32(at)
    }
    if (info === 27) {
      this.#at += 8
      return this.#view.getFloat64(at)
    }
    const value = Number(this.#argument(info))
    if (value === 20 || value === 21) return value === 21
    if (value === 22) return null
    return value === 23 ? undefined : new CborSimple(value)
  }

  #octets(length: number): Uint8Array {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

function plainInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction. RFC 8949, Appendix D. */
function halfFloat(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent < 31) return sign * (1024 + fraction) * 2 ** (exponent - 25)
  return fraction === 0 ? sign * Infinity : NaN
}
