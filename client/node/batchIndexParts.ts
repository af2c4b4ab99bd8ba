import { mkdtemp, open, rm } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fromHex } from "../crypto/hex.ts"
import { sha256 } from "../crypto/sha256.ts"
import { ManifestCrowdedError, OutputWriteError } from "../errors/batch.ts"
import { BatchIndexFullError } from "../errors/mirror.ts"
import type { Deployment } from "../ledger/deployment.ts"
import type { Batch } from "../ledger/ledger.ts"
import { assertManifestOf } from "../ledger/replica/manifestOf.ts"
import { HashTags } from "../merkle/hashTags.ts"
import { HASH_BYTES } from "../merkle/limits.ts"
import { readManifest } from "../merkle/manifest.ts"
import type { ManifestSource } from "../merkle/manifest.ts"
import {
  BATCH_BYTES,
  BUCKET_BYTES,
  CHECK_BYTES,
  ENTRY_BYTES,
  MOST_DEVICES,
  bucketOf,
  bucketsFor,
  encodeIndexHeader,
} from "./batchIndexLayout.ts"
import { reasonOf } from "./readRegularFile.ts"
import { writeWhole } from "./writeFileAtomic.ts"

/** A batch as the ledger shows it, and where its manifest is. */
export type IndexFileBatch = { readonly source: ManifestSource; readonly batch: Batch }

export type IndexFileParameters = {
  path: string
  deployment: Deployment
  batches: readonly IndexFileBatch[]
  seed: Uint8Array
  onProgress?: (done: number, total: number) => void
}

/** What is sorted in memory at once: 5 MB, or more where that would take more files than these. */
const ENTRIES_PER_PART = 400_000
const MOST_PARTS = 512
const BUFFER_BYTES = 5461 * ENTRY_BYTES
/** Entries in one bucket; honest hashes come to 400 at most. */
const MOST_IN_BUCKET = 4096

/**
 * The bytes of an index file, one piece after another. Entries are first spread over files by their buckets, since they come in no
 * order; then each file is put in order by itself.
 *
 * @throws as `buildBatchIndexFile`.
 */
export async function* indexFileParts(parameters: IndexFileParameters): AsyncGenerator<Uint8Array> {
  const { path, deployment, batches, seed } = parameters
  const devices = batches.reduce((sum, { batch }) => sum + batch.size, 0)
  if (devices > MOST_DEVICES) throw new BatchIndexFullError({ limit: `${MOST_DEVICES} devices` })
  const buckets = bucketsFor(devices)
  const { chainId, contracts } = deployment
  const header = encodeIndexHeader({
    chainId: BigInt(chainId),
    registry: contracts.devices.address,
    seed,
    devices,
    batches: batches.length,
    buckets,
    footer: 0,
  })
  const folder = await mkdtemp(join(dirname(path), ".fleetroot-index-")).catch((cause: unknown) => {
    throw new OutputWriteError({ path, reason: reasonOf(cause), cause })
  })
  const parts = new Parts(folder, buckets, Math.min(MOST_PARTS, Math.ceil(devices / ENTRIES_PER_PART), buckets))
  try {
    await spread(parts, parameters, devices)
    yield header
    const directory = new DataView(new ArrayBuffer(buckets * BUCKET_BYTES))
    yield* parts.ordered(directory, batches)
    const footer = new Uint8Array(batches.length * BATCH_BYTES + directory.byteLength)
    batches.forEach(({ batch }, i) => {
      footer.set(batchRow(batch), i * BATCH_BYTES)
    })
    footer.set(new Uint8Array(directory.buffer), batches.length * BATCH_BYTES)
    yield footer
    yield sha256(header, footer)
  } finally {
    await parts.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function spread(parts: Parts, parameters: IndexFileParameters, total: number): Promise<void> {
  const { deployment, batches, seed, onProgress } = parameters
  const tags = new HashTags(seed)
  let first = 0
  for (const { source, batch } of batches) {
    await assertManifestOf(source, batch, deployment)
    const start = first
    await readManifest(source, {
      root: batch.root,
      onSlice: async ({ from, credentialHashes }) => {
        for (let offset = 0; offset < credentialHashes.length; offset += HASH_BYTES) {
          tags.read(credentialHashes, offset)
          if (parts.add(tags.high, tags.low, start + from + offset / HASH_BYTES)) await parts.flush()
        }
        onProgress?.(start + from, total)
      },
    })
    first += batch.size
  }
  await parts.flush(true)
  onProgress?.(total, total)
}

function batchRow({ manufacturerId, series, size, registeredAt, root }: Batch): Uint8Array {
  const row = new Uint8Array(BATCH_BYTES)
  const view = new DataView(row.buffer)
  view.setUint32(0, manufacturerId)
  view.setUint32(4, series)
  view.setUint32(8, size)
  view.setBigUint64(12, BigInt(registeredAt))
  row.set(fromHex(root), 20)
  return row
}

type Part = { readonly path: string; readonly buffer: DataView; length: number; handle: FileHandle | undefined }

/** Entries in files, each of which has the buckets of one range. */
class Parts {
  readonly #buckets: number
  readonly #parts: Part[]

  constructor(folder: string, buckets: number, count: number) {
    this.#buckets = buckets
    this.#parts = Array.from({ length: Math.max(1, count) }, (_, i) => ({
      path: join(folder, String(i)),
      buffer: new DataView(new ArrayBuffer(BUFFER_BYTES)),
      length: 0,
      handle: undefined,
    }))
  }

  /** @returns whether a buffer is full, so that it must be flushed before the next entry. */
  add(high: number, low: number, place: number): boolean {
    const part = this.#parts[this.#partOf(bucketOf(high, this.#buckets))] as Part
    const { buffer, length } = part
    buffer.setInt32(length, high)
    buffer.setInt32(length + 4, low)
    buffer.setUint32(length + 8, place)
    part.length = length + ENTRY_BYTES
    return part.length === BUFFER_BYTES
  }

  /** Writes the buffers that are full, or all. @throws {@link OutputWriteError} */
  async flush(all = false): Promise<void> {
    for (const part of this.#parts) {
      if (part.length === 0 || (!all && part.length < BUFFER_BYTES)) continue
      try {
        part.handle ??= await open(part.path, "wx+", 0o600)
        await writeWhole(part.handle, new Uint8Array(part.buffer.buffer, 0, part.length))
      } catch (cause) {
        throw new OutputWriteError({ path: part.path, reason: reasonOf(cause), cause })
      }
      part.length = 0
    }
  }

  /** The entries bucket by bucket, a file at a time; the directory is filled in. */
  async *ordered(directory: DataView, batches: readonly IndexFileBatch[]): AsyncGenerator<Uint8Array> {
    let bucket = 0
    let before = 0
    for (const [number, part] of this.#parts.entries()) {
      const entries = await readAll(part)
      const first = bucket
      while (bucket < this.#buckets && this.#partOf(bucket) === number) bucket++
      const sorted = this.#sort(entries, { first, end: bucket, before }, directory, batches)
      before += entries.length / ENTRY_BYTES
      yield sorted
    }
  }

  async close(): Promise<void> {
    for (const { handle } of this.#parts) await handle?.close()
  }

  /** Counting sort by bucket: within one, entries stay as they came. */
  #sort(
    entries: Uint8Array,
    { first, end, before }: { first: number; end: number; before: number },
    directory: DataView,
    batches: readonly IndexFileBatch[],
  ): Uint8Array {
    const view = new DataView(entries.buffer, entries.byteOffset, entries.length)
    const ends = new Uint32Array(end - first + 1)
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      ;(ends[bucketOf(view.getInt32(at), this.#buckets) - first + 1] as number)++
    }
    for (let i = 1; i < ends.length; i++) {
      if ((ends[i] as number) > MOST_IN_BUCKET) throw crowded(view, first + i - 1, this.#buckets, batches)
      ;(ends[i] as number) += ends[i - 1] as number
    }
    const next = ends.slice(0, -1)
    const sorted = new Uint8Array(entries.length)
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      const bucket = bucketOf(view.getInt32(at), this.#buckets) - first
      sorted.set(entries.subarray(at, at + ENTRY_BYTES), (next[bucket] as number) * ENTRY_BYTES)
      ;(next[bucket] as number)++
    }
    const sums = new Uint8Array(directory.buffer)
    for (let i = 0; i < end - first; i++) {
      const [from, to] = [(ends[i] as number) * ENTRY_BYTES, (ends[i + 1] as number) * ENTRY_BYTES]
      const at = (first + i) * BUCKET_BYTES
      directory.setUint32(at, before + (ends[i + 1] as number))
      sums.set(sha256(sorted.subarray(from, to)).subarray(0, CHECK_BYTES), at + 4)
    }
    return sorted
  }

  #partOf(bucket: number): number {
    return Math.floor((bucket * this.#parts.length) / this.#buckets)
  }
}

async function readAll({ path, handle }: Part): Promise<Uint8Array> {
  if (handle === undefined) return new Uint8Array(0)
  const { size } = await handle.stat()
  const bytes = new Uint8Array(size)
  for (let done = 0; done < size;) {
    const { bytesRead } = await handle.read(bytes, done, size - done, done)
    if (bytesRead === 0) throw new OutputWriteError({ path, reason: "the file became shorter", cause: undefined })
    done += bytesRead
  }
  return bytes
}

/** Names a place of the crowded bucket. */
function crowded(
  view: DataView,
  bucket: number,
  buckets: number,
  batches: readonly IndexFileBatch[],
): ManifestCrowdedError {
  let place = 0
  for (let at = 0; at < view.byteLength; at += ENTRY_BYTES) {
    if (bucketOf(view.getInt32(at), buckets) === bucket) place = view.getUint32(at + 8)
  }
  for (const { batch } of batches) {
    if (place < batch.size) break
    place -= batch.size
  }
  return new ManifestCrowdedError({ index: place })
}
