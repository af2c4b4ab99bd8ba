import { HashLengthError, IndexOutOfRangeError, TreeSizeError } from "../errors/merkle.ts"

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32

/** The largest batch: sizes are 32-bit on the ledger. */
export const MAX_TREE_SIZE = 0xffff_ffff

/** @throws {@link TreeSizeError} unless `size` is an integer in 1..2^32-1. */
export function assertTreeSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 1 || size > MAX_TREE_SIZE) throw new TreeSizeError({ size })
}

/** @throws {@link IndexOutOfRangeError} unless `index` is an integer in 0..size-1. */
export function assertIndex(index: number, size: number): void {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new IndexOutOfRangeError({ index, size })
}

/** @throws {@link HashLengthError} unless `hash` is 32 bytes. */
export function assertHash(hash: Uint8Array, field: string): void {
  if (!(hash instanceof Uint8Array)) throw new HashLengthError({ field, length: -1 })
  if (hash.length !== HASH_BYTES) throw new HashLengthError({ field, length: hash.length })
}
