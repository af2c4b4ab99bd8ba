import type { BitReader, BitWriter } from "./bits.ts"

/** Largest parameter of a Rice code here: values are of 32 bits. */
export const MAX_RICE_PARAMETER = 31

/**
 * Finds the parameter under which a list of numbers takes the fewest bits in Golomb-Rice code, in one pass: value v costs
 * floor(v / 2^k) + 1 + k bits.
 */
export class RiceTally {
  /** The sum of floor(v / 2^k) for each k. */
  readonly #quotients = new Float64Array(MAX_RICE_PARAMETER + 1)
  #count = 0

  add(value: number): void {
    this.#count++
    for (let k = 0, rest = value; rest !== 0; k++, rest >>>= 1) (this.#quotients[k] as number) += rest
  }

  /** Counts `count` zeros. */
  addZeros(count: number): void {
    this.#count += count
  }

  /** The best parameter, the smallest of several, and the bits that the list then takes. */
  best(): { parameter: number; bits: number } {
    let best = { parameter: 0, bits: Infinity }
    for (let parameter = 0; parameter <= MAX_RICE_PARAMETER; parameter++) {
      const bits = (this.#quotients[parameter] as number) + this.#count * (parameter + 1)
      if (bits < best.bits) best = { parameter, bits }
    }
    return best
  }
}

export function writeRice(writer: BitWriter, value: number, parameter: number): void {
  writer.writeUnary(Math.floor(value / 2 ** parameter))
  writer.write(value, parameter)
}

/** May be above 2^32: the caller knows what fits. @throws {@link SnapshotTruncatedError} */
export function readRice(reader: BitReader, parameter: number): number {
  return reader.readUnary() * 2 ** parameter + reader.read(parameter)
}
