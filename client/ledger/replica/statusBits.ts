/** Batches of up to this many places have their bits in one piece: 8 MiB at most. A larger one costs by what was revoked in it. */
const MOST_FLAT = 2 ** 26

/** The status bits of one batch: bit i of octet n is the device at 8 n + i. */
export class StatusBits {
  readonly #size: number
  #flat: Uint8Array | undefined
  #sparse: Map<number, Uint8Array> | undefined

  constructor(size: number) {
    this.#size = size
  }

  /** All bits in one piece, which changes in place; undefined if none is set, or the batch is too large for it. */
  get flat(): Uint8Array | undefined {
    return this.#flat
  }

  has(index: number): boolean {
    const flat = this.#flat
    if (flat !== undefined) return ((flat[index >>> 3] as number) & (1 << (index & 7))) !== 0
    const octets = this.#sparse?.get(index >>> 8)
    return octets !== undefined && ((octets[(index & 255) >>> 3] as number) & (1 << (index & 7))) !== 0
  }

  /** Whether any of these bits of a word is set. */
  meets(word: number, bits: bigint): boolean {
    return (this.word(word) & bits) !== 0n
  }

  word(word: number): bigint {
    const octets = this.#octets(word)
    if (octets === undefined) return 0n
    let value = 0n
    for (let i = octets.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(octets[i] as number)
    return value
  }

  set(word: number, bits: bigint): void {
    this.#change(word, bits, (octet, change) => octet | change)
  }

  clear(word: number, bits: bigint): void {
    this.#change(word, bits, (octet, change) => octet & ~change)
  }

  #octets(word: number): Uint8Array | undefined {
    return this.#flat === undefined ? this.#sparse?.get(word) : this.#flat.subarray(32 * word, 32 * word + 32)
  }

  #change(word: number, bits: bigint, combine: (octet: number, change: number) => number): void {
    let octets = this.#octets(word)
    if (octets === undefined) {
      if (this.#size <= MOST_FLAT) {
        this.#flat = new Uint8Array(Math.ceil(this.#size / 8))
        octets = this.#flat.subarray(32 * word, 32 * word + 32)
      } else {
        this.#sparse ??= new Map()
        octets = new Uint8Array(32)
        this.#sparse.set(word, octets)
      }
    }
    const changes = octetsOf(bits)
    for (let i = 0; i < octets.length; i++) octets[i] = combine(octets[i] as number, changes[i] as number)
  }
}

/** The 32 octets of a word, the lowest first. */
export function octetsOf(bits: bigint): Uint8Array {
  const octets = new Uint8Array(32)
  const view = new DataView(octets.buffer)
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, BigInt.asUintN(64, bits >> BigInt(64 * i)), true)
  return octets
}

/** How many bits are set. */
export function countBits(bits: bigint): number {
  let count = 0
  for (const octet of octetsOf(bits)) {
    for (let rest = octet; rest !== 0; rest &= rest - 1) count += 1
  }
  return count
}
