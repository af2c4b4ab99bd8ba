/**
 * Spreads bytes over 32 bits, to find a place in a table of hashes. Fast, and good enough for hashes; no secret and no
 * decision may hang on it.
 *
 * @param seed Makes the places differ from table to table.
 */
export function mixBytes(bytes: Uint8Array, offset: number, length: number, seed: number): number {
  let mixed = seed | 0
  for (let i = offset; i < offset + length; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24)
    mixed = Math.imul(mixed ^ word, 0x9e3779b1)
    mixed ^= mixed >>> 15
  }
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  return mixed >>> 0
}
