import { sha256 } from "../crypto/sha256.ts"
import { HASH_BYTES, assertHash } from "./limits.ts"

/** Bytes of the secret that tags are made with. */
export const TAG_SEED_BYTES = 32

const VALUES = 256
const ENTRIES = HASH_BYTES * VALUES

/**
 * Makes 64-bit tags of hashes, under which tables find them: simple tabulation hashing (Zobrist), the XOR of one random
 * entry for each byte.
 *
 * Two different hashes have the same tag with probability 2^-64 exactly, whatever the hashes are, as long as whoever
 * chose them did not know the seed. A plain prefix would not do: two hashes that share 64 bits are found in 2^32 tries.
 */
export class HashTags {
  /** The halves of the tag that {@link read} made last: signed 32 bits each. */
  high = 0
  low = 0
  /** High and low half of each entry, side by side. */
  readonly #table = new Int32Array(2 * ENTRIES)

  /**
   * @param seed 32 random bytes, which nobody who chooses hashes may know.
   * @throws {@link HashLengthError}
   */
  constructor(seed: Uint8Array) {
    assertHash(seed, "seed")
    const input = new Uint8Array(TAG_SEED_BYTES + 4)
    input.set(seed)
    const counter = new DataView(input.buffer)
    for (let at = 0; at < this.#table.length; at += 8) {
      counter.setUint32(TAG_SEED_BYTES, at / 8)
      const digest = sha256(input)
      const random = new DataView(digest.buffer, digest.byteOffset)
      for (let i = 0; i < 8; i++) this.#table[at + i] = random.getInt32(4 * i)
    }
  }

  /** Makes the tag of the 32 bytes at `offset`, which must be there. Fields, not a result: it runs for every look-up. */
  read(bytes: Uint8Array, offset: number): void {
    const table = this.#table
    let high = 0
    let low = 0
    for (let i = 0; i < HASH_BYTES; i++) {
      const entry = 2 * (i * VALUES + (bytes[offset + i] as number))
      high ^= table[entry] as number
      low ^= table[entry + 1] as number
    }
    this.high = high
    this.low = low
  }
}
