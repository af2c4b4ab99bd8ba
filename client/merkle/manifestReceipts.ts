import { equalBytes, fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { ManifestCrowdedError } from "../errors/batch.ts"
import { HASH_BYTES } from "./limits.ts"
import type { Manifest, ManifestSlice } from "./manifest.ts"
import { mixBytes } from "./mixBytes.ts"
import type { ReceiptSource } from "./receiptSource.ts"

/**
 * Makes receipts from a manifest for whoever asks, by credential hash.
 *
 * Reads the manifest once and keeps 12 bytes a device: 120 MB for ten million. The index only points; the hash that it
 * points at is read again and checked against the root, so a source that changes later makes no wrong receipt.
 *
 * @throws {@link ManifestCrowdedError} when the manifest repeats its entries hundreds of times.
 * @throws {@link ManifestReadError} {@link RootMismatchError} also later, from `receiptOf`.
 */
export async function receiptsFromManifest(manifest: Manifest): Promise<ReceiptSource> {
  const { chainId, registry, manufacturerId, series, size, root } = manifest.header
  const index = new ManifestIndex(size, root)
  for await (const slice of manifest.slices()) index.addAll(slice)

  return {
    receiptOf: async (credentialHash) => {
      const hash = asHash(credentialHash)
      if (hash === undefined) return undefined
      for (const place of index.candidates(hash)) {
        const { credentialHash: found, proof } = await manifest.entry(place)
        if (!equalBytes(found, hash)) continue
        return { chainId, registry, manufacturerId, series, size, index: place, proof }
      }
      return undefined
    },
  }
}

/** Entries from the place that a hash falls on to the place where it lies: 300 in ten billion honest ones. */
const MAX_DISTANCE = 1024
const SLOTS_PER_ENTRY = 1.5

/** Where each hash of a manifest stands: open addressing over its index, with 32 bits of the hash beside it. */
class ManifestIndex {
  readonly #places: Uint32Array
  readonly #tags: Uint32Array
  // From the root, which depends on every hash: nobody can choose hashes that fall together.
  readonly #slotSeed: number
  readonly #tagSeed: number

  constructor(size: number, root: Hex) {
    const slots = Math.ceil(size * SLOTS_PER_ENTRY) + 1
    this.#places = new Uint32Array(slots) // index + 1; 0: free
    this.#tags = new Uint32Array(slots)
    const seeds = new DataView(fromHex(root).buffer)
    this.#slotSeed = seeds.getUint32(0)
    this.#tagSeed = seeds.getUint32(4)
  }

  addAll({ from, credentialHashes }: ManifestSlice): void {
    for (let offset = 0; offset < credentialHashes.length; offset += HASH_BYTES) {
      this.#add(credentialHashes, offset, from + offset / HASH_BYTES)
    }
  }

  /** Indexes that may hold `hash`; nearly always none or the right one. */
  *candidates(hash: Uint8Array): Generator<number> {
    const tag = mixBytes(hash, 0, HASH_BYTES, this.#tagSeed)
    let slot = this.#slotOf(hash, 0)
    for (let distance = 0; distance <= MAX_DISTANCE; distance++) {
      const place = this.#places[slot] as number
      if (place === 0) return
      if (this.#tags[slot] === tag) yield place - 1
      slot = slot + 1 === this.#places.length ? 0 : slot + 1
    }
  }

  #add(hashes: Uint8Array, offset: number, index: number): void {
    let slot = this.#slotOf(hashes, offset)
    for (let distance = 0; this.#places[slot] !== 0; distance++) {
      if (distance === MAX_DISTANCE) throw new ManifestCrowdedError({ index })
      slot = slot + 1 === this.#places.length ? 0 : slot + 1
    }
    this.#places[slot] = index + 1
    this.#tags[slot] = mixBytes(hashes, offset, HASH_BYTES, this.#tagSeed)
  }

  // Scaled, not masked: the table is as long as it must be, not as the next power of two.
  #slotOf(hashes: Uint8Array, offset: number): number {
    return Math.floor((mixBytes(hashes, offset, HASH_BYTES, this.#slotSeed) / 2 ** 32) * this.#places.length)
  }
}

function asHash(hex: Hex): Uint8Array | undefined {
  return /^0x[0-9a-f]{64}$/i.test(hex) ? fromHex(hex) : undefined
}
