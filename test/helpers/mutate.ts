/** Random numbers that are the same in every run: xorshift32. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0 || 1
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % end
  }
}

/** Bytes on which readers of lengths and types stumble. */
const EDGES = [0x00, 0x01, 0x02, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x20, 0x22, 0x24, 0x25, 0x40, 0x50, 0x5f, 0x7f]
const MORE_EDGES = [
  0x80, 0x81, 0x9b, 0x9f, 0xa0, 0xbf, 0xc0, 0xd2, 0xd8, 0xf6, 0xf9, 0xfb, 0xfe, 0xff, 0x6b, 0x10, 0x11, 0x12,
]
const INTERESTING = [...EDGES, ...MORE_EDGES]

/** One to four changes to one of the seeds: flips, edges, cuts, repeats, insertions, parts of another seed, other lengths. */
export function mutate(random: SeededRandom, seeds: readonly Uint8Array[]): Uint8Array {
  let bytes: Uint8Array = pick(random, seeds).slice()
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = change(random, bytes, seeds)
  return bytes
}

function change(random: SeededRandom, bytes: Uint8Array, seeds: readonly Uint8Array[]): Uint8Array {
  const at = random.below(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.below(16))
  switch (random.below(9)) {
    case 0:
      return put(bytes, at, (bytes[at] ?? 0) ^ (1 << random.below(8)))
    case 1:
      return put(bytes, at, pick(random, INTERESTING))
    case 2:
      return put(bytes, at, random.below(256))
    case 3:
      return bytes.slice(0, at)
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(end))
    case 5:
      return join(bytes.subarray(0, end), bytes.subarray(at))
    case 6:
      return join(bytes.subarray(0, at), Uint8Array.of(pick(random, INTERESTING)), bytes.subarray(at))
    case 7: {
      const other = pick(random, seeds)
      const from = random.below(other.length + 1)
      return join(bytes.subarray(0, at), other.subarray(from, from + random.below(64)), bytes.subarray(at))
    }
    default: // a 16-bit number, of either order, a little more or less
      return put(put(bytes, at, (bytes[at] ?? 0) + random.below(9) - 4), at + 1, pick(random, INTERESTING))
  }
}

function put(bytes: Uint8Array, at: number, value: number): Uint8Array {
  if (at < bytes.length) bytes[at] = value & 0xff
  return bytes
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)] as T
}
