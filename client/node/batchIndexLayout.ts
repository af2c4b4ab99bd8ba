import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { IndexFileMalformedError } from "../errors/mirror.ts"

// docs/formats.md, "Index file": header, entries bucket by bucket, batches, directory, SHA-256 of all but the entries.
export const HEADER_BYTES = 84
/** Tag (8) and place (4). */
export const ENTRY_BYTES = 12
/** Manufacturer (4), series (4), size (4), registered at (8), root (32). */
export const BATCH_BYTES = 52
/** One past the bucket's last entry (4), and the first octets of its SHA-256. */
export const BUCKET_BYTES = 12
export const CHECK_BYTES = 8
export const SUM_BYTES = 32
export const MOST_DEVICES = 0xffff_ffff

const MAGIC = 0x46524249 // "FRBI"
const VERSION = 1
/** Entries a bucket, on the average. */
const PER_BUCKET = 256

export type IndexHeader = {
  readonly chainId: bigint
  readonly registry: Hex
  readonly seed: Uint8Array
  readonly devices: number
  readonly batches: number
  readonly buckets: number
  /** Where the batches begin. */
  readonly footer: number
}

/** How many buckets so many entries are spread over. */
export function bucketsFor(devices: number): number {
  return Math.max(1, Math.ceil(devices / PER_BUCKET))
}

/** Buckets follow each other as the tags do. */
export function bucketOf(high: number, buckets: number): number {
  return Math.floor(((high >>> 0) / 2 ** 32) * buckets)
}

export function encodeIndexHeader({ chainId, registry, seed, devices, batches }: IndexHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint32(4, VERSION)
  view.setBigUint64(8, chainId)
  for (let i = 0; i < 20; i++) view.setUint8(16 + i, Number.parseInt(registry.slice(2 + 2 * i, 4 + 2 * i), 16))
  bytes.set(seed, 36)
  view.setUint32(68, devices)
  view.setUint32(72, batches)
  return bytes
}

/** @throws {@link IndexFileMalformedError} also when the file is not as long as it says. */
export function decodeIndexHeader(path: string, bytes: Uint8Array, fileSize: number): IndexHeader {
  const refuse = (reason: string): never => {
    throw new IndexFileMalformedError({ path, reason })
  }
  if (bytes.length < HEADER_BYTES) return refuse("it is too short")
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES)
  if (view.getUint32(0) !== MAGIC) return refuse('it does not begin with "FRBI"')
  if (view.getUint32(4) !== VERSION) return refuse(`it is of version ${view.getUint32(4)}`)
  if (view.getBigUint64(76) !== 0n) return refuse("reserved octets are not zero")
  const devices = view.getUint32(68)
  const batches = view.getUint32(72)
  const buckets = bucketsFor(devices)
  const footer = HEADER_BYTES + devices * ENTRY_BYTES
  const expected = footer + batches * BATCH_BYTES + buckets * BUCKET_BYTES + SUM_BYTES
  if (fileSize !== expected) return refuse(`it has ${fileSize} bytes instead of ${expected}`)
  const registry = toHex(bytes.subarray(16, 36))
  return { chainId: view.getBigUint64(8), registry, seed: bytes.slice(36, 68), devices, batches, buckets, footer }
}
