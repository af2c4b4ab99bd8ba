import { randomBytes } from "node:crypto"
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { equalBytes, toHex } from "../crypto/hex.ts"
import { sha256 } from "../crypto/sha256.ts"
import { InputPathError } from "../errors/batch.ts"
import { IndexFileDamagedError, IndexFileMalformedError } from "../errors/mirror.ts"
import type { Deployment } from "../ledger/deployment.ts"
import { BatchRanges } from "../ledger/replica/batchRanges.ts"
import { NOT_INDEXED, standingClaim } from "../ledger/replica/claims.ts"
import type { Claim, IndexedBatch } from "../ledger/replica/claims.ts"
import { HashTags } from "../merkle/hashTags.ts"
import { assertHash } from "../merkle/limits.ts"
import { indexFileParts } from "./batchIndexParts.ts"
import type { IndexFileBatch } from "./batchIndexParts.ts"
import {
  BATCH_BYTES,
  BUCKET_BYTES,
  CHECK_BYTES,
  ENTRY_BYTES,
  HEADER_BYTES,
  SUM_BYTES,
  bucketOf,
  decodeIndexHeader,
} from "./batchIndexLayout.ts"
import type { IndexHeader } from "./batchIndexLayout.ts"
import { reasonOf } from "./readRegularFile.ts"
import { writeFileAtomic } from "./writeFileAtomic.ts"

export type BuildIndexFileOptions = {
  /** Where the index goes. While it is built, as much again lies in a folder beside it. */
  path: string
  deployment: Deployment
  /** The batches and their manifests, each read once. */
  batches: readonly IndexFileBatch[]
  /** 32 random bytes, which end up in the file: whoever can read it could choose credentials that collide. Default: drawn anew. */
  seed?: Uint8Array
  /** Called now and then with the credentials read so far, of all. */
  onProgress?: (done: number, total: number) => void
}

const MODE = 0o600

/**
 * Writes an index of batches to a file, 12 bytes a device, in memory that does not grow with them. Each manifest is checked against
 * the root that the ledger shows; on any error there is no file.
 *
 * @throws ManifestPlaceError, ManifestRootError, ManifestCrowdedError, BatchIndexFullError, OutputWriteError, and as the sources do.
 */
export async function buildBatchIndexFile(options: BuildIndexFileOptions): Promise<{ devices: number }> {
  const { path, seed = new Uint8Array(randomBytes(32)) } = options
  await writeFileAtomic(path, indexFileParts({ ...options, seed }), { mode: MODE })
  return { devices: options.batches.reduce((sum, { batch }) => sum + batch.size, 0) }
}

/**
 * An index of batches in a file: what `BatchIndex` answers, for fleets past what memory holds. It keeps a twentieth of a byte a
 * device; a look-up reads some 3 KiB, whose hash is compared each time.
 *
 * The batches are those of the day on which it was built: compare {@link batches} with the ledger's.
 */
export class BatchIndexFile {
  readonly devices: number
  readonly #path: string
  readonly #descriptor: number
  readonly #header: IndexHeader
  readonly #tags: HashTags
  readonly #ranges = new BatchRanges()
  /** For each bucket one past its last entry, and the hash of its entries. */
  readonly #directory: DataView

  private constructor(path: string, descriptor: number) {
    this.#path = path
    this.#descriptor = descriptor
    const size = fstatSync(descriptor).size
    const bytes = this.#read(0, Math.min(size, HEADER_BYTES))
    this.#header = decodeIndexHeader(path, bytes, size)
    const { devices, batches, buckets, footer } = this.#header
    const tail = this.#read(footer, batches * BATCH_BYTES + buckets * BUCKET_BYTES + SUM_BYTES)
    const body = tail.subarray(0, -SUM_BYTES)
    if (!equalBytes(sha256(bytes, body), tail.subarray(-SUM_BYTES))) {
      throw new IndexFileDamagedError({ path, part: "The directory" })
    }
    this.devices = devices
    this.#tags = new HashTags(this.#header.seed)
    const table = new DataView(body.buffer, body.byteOffset, batches * BATCH_BYTES)
    for (let at = 0; at < table.byteLength; at += BATCH_BYTES) {
      this.#ranges.append({
        manufacturerId: table.getUint32(at),
        series: table.getUint32(at + 4),
        size: table.getUint32(at + 8),
        registeredAt: Number(table.getBigUint64(at + 12)),
        root: toHex(body.subarray(at + 20, at + BATCH_BYTES)),
      })
    }
    this.#directory = new DataView(body.buffer, body.byteOffset + table.byteLength, buckets * BUCKET_BYTES)
  }

  /**
   * Opens an index and checks everything but its entries, which are checked when they are read.
   *
   * @throws {@link InputPathError} {@link IndexFileMalformedError} {@link IndexFileDamagedError}
   */
  static open(path: string, deployment: Deployment): BatchIndexFile {
    let descriptor: number
    try {
      descriptor = openSync(path, "r")
    } catch (cause) {
      throw new InputPathError({ path, reason: reasonOf(cause), cause })
    }
    try {
      const file = new BatchIndexFile(path, descriptor)
      const { chainId, registry } = file.#header
      const { address } = deployment.contracts.devices
      if (chainId === BigInt(deployment.chainId) && registry === address) return file
      throw new IndexFileMalformedError({ path, reason: `it is of registry ${registry} on chain ${chainId}` })
    } catch (error) {
      closeSync(descriptor)
      throw error
    }
  }

  batches(): IterableIterator<IndexedBatch> {
    return this.#ranges.batches()
  }

  /** As `BatchIndex.lookup`. @throws {@link IndexFileDamagedError} {@link InputPathError} */
  lookup(credentialHash: Uint8Array, manufacturerId = 0): number {
    const claims = this.claims(credentialHash)
    return claims.length === 0 ? NOT_INDEXED : standingClaim(claims, manufacturerId)
  }

  /** As `BatchIndex.batchOf`. */
  batchOf(found: number): IndexedBatch | undefined {
    return this.#ranges.at(found)
  }

  /** As `BatchIndex.claims`. @throws {@link IndexFileDamagedError} {@link InputPathError} */
  claims(credentialHash: Uint8Array): Claim[] {
    assertHash(credentialHash, "credentialHash")
    const tags = this.#tags
    tags.read(credentialHash, 0)
    const { high, low } = tags
    const entries = this.#bucket(bucketOf(high, this.#header.buckets))
    const claims: Claim[] = []
    for (let at = 0; at < entries.byteLength; at += ENTRY_BYTES) {
      if (entries.getInt32(at) !== high || entries.getInt32(at + 4) !== low) continue
      const found = this.#ranges.find(entries.getUint32(at + 8), 0)
      const batch = this.#ranges.at(found)
      if (batch !== undefined) claims.push({ batch, index: found >>> 0, found })
    }
    return claims.toSorted((one, other) => one.batch.registeredAt - other.batch.registeredAt || one.found - other.found)
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #bucket(bucket: number): DataView {
    const at = bucket * BUCKET_BYTES
    const first = bucket === 0 ? 0 : this.#directory.getUint32(at - BUCKET_BYTES)
    const end = this.#directory.getUint32(at)
    const bytes = this.#read(HEADER_BYTES + first * ENTRY_BYTES, (end - first) * ENTRY_BYTES)
    const sum = new Uint8Array(this.#directory.buffer, this.#directory.byteOffset + at + 4, CHECK_BYTES)
    if (!equalBytes(sha256(bytes).subarray(0, CHECK_BYTES), sum)) {
      throw new IndexFileDamagedError({ path: this.#path, part: `Block ${bucket}` })
    }
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  #read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let done = 0
    try {
      while (done < length) {
        const read = readSync(this.#descriptor, bytes, done, length - done, offset + done)
        if (read === 0) break
        done += read
      }
    } catch (cause) {
      throw new InputPathError({ path: this.#path, reason: reasonOf(cause), cause })
    }
    if (done < length) throw new IndexFileMalformedError({ path: this.#path, reason: "it became shorter" })
    return bytes
  }
}
