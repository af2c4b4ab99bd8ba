import type { Hex } from "../../crypto/hex.ts"
import { equalBytes, fromHex } from "../../crypto/hex.ts"
import { ManifestCrowdedError } from "../../errors/batch.ts"
import { BatchIndexFullError } from "../../errors/mirror.ts"
import { HashTags, TAG_SEED_BYTES } from "../../merkle/hashTags.ts"
import { HASH_BYTES, assertHash } from "../../merkle/limits.ts"
import { readManifest } from "../../merkle/manifest.ts"
import type { Manifest, ManifestSource } from "../../merkle/manifest.ts"
import type { Receipt } from "../../merkle/receipt.ts"
import type { ReceiptSource } from "../../merkle/receiptSource.ts"
import { ABSENT, MAX_TAG_VALUE, TagTable } from "../../merkle/tagTable.ts"
import type { Deployment } from "../deployment.ts"
import type { Batch } from "../ledger.ts"
import { BatchRanges } from "./batchRanges.ts"
import { NOT_INDEXED, standingClaim } from "./claims.ts"
import type { Claim, IndexedBatch } from "./claims.ts"
import { assertManifestOf } from "./manifestOf.ts"

export type BatchIndexOptions = {
  /** Whose batches. */
  deployment: Deployment
  /** 32 random bytes that nobody else knows. Default: drawn anew. */
  seed?: Uint8Array
  /** Most places, those of forgotten batches included: the memory that others' batches may fill. Default: 2^26, about 1 GiB. */
  maxDevices?: number
}

export type AddManifestOptions = {
  /** Called now and then with the credentials read so far. */
  onProgress?: (done: number, size: number) => void
}

/** What a manifest added. */
export type AddedManifest = {
  readonly devices: number
  /** Credentials that other places hold too: {@link BatchIndex.repeated} lists them. */
  readonly repeated: number
}

/** How often one manifest may repeat one credential before it is refused; an honest one never does. */
const MOST_REPEATS = 16
const MAX_DEVICES = 2 ** 26

/**
 * Where each credential of many batches stands: credential hash → (manufacturer, series, index), in at most 16 bytes a
 * device.
 *
 * Each manifest is hashed to the root that the ledger shows before anything of it counts, whoever served it. Hashes
 * themselves are not kept, only 64 bits of each under a secret key: a hash that is in none of n places is taken for one of
 * them with probability n × 2^-64 (2^-44 for a million), whatever it is. So the answer points, and is right for every
 * credential that was checked otherwise (by its issuer's signature); who needs certainty asks {@link receiptOf}, which
 * reads the hash itself again.
 *
 * Of two batches of a manufacturer that hold one credential the later registration is void. Batches of different
 * manufacturers say nothing about each other: a copied manifest takes no credential from anybody.
 */
export class BatchIndex implements ReceiptSource {
  readonly #deployment: Deployment
  readonly #maxDevices: number
  readonly #tags: HashTags
  readonly #table = new TagTable()
  readonly #ranges = new BatchRanges()
  readonly #manifests = new Map<IndexedBatch, Manifest>()
  /** Manifests are added one after another. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: BatchIndexOptions) {
    const { deployment, maxDevices = MAX_DEVICES } = options
    this.#deployment = deployment
    this.#maxDevices = Math.min(maxDevices, MAX_TAG_VALUE)
    this.#tags = new HashTags(options.seed ?? globalThis.crypto.getRandomValues(new Uint8Array(TAG_SEED_BYTES)))
  }

  /** Places that are indexed. */
  get devices(): number {
    return this.#ranges.devices
  }

  /** Bytes that the places take in memory; a few hundred more go to each batch. */
  get bytes(): number {
    return this.#table.bytes
  }

  /** The batches whose manifests were added. */
  batches(): IterableIterator<IndexedBatch> {
    return this.#ranges.batches()
  }

  /** Whether this very batch is indexed. */
  has({ manufacturerId, series, root, size }: Pick<Batch, "manufacturerId" | "series" | "root" | "size">): boolean {
    const known = this.#ranges.batch(manufacturerId, series)
    return known !== undefined && known.root === root && known.size === size
  }

  /**
   * Reads a manifest from front to back and, if it is the batch's, indexes it. The source is read again when receipts are
   * asked for, as long as it is open. On any error the index is as it was before. A batch that was registered anew after a
   * reorganisation takes the place of the former.
   *
   * @param batch As the ledger shows it.
   * @throws ManifestPlaceError {@link ManifestCrowdedError} {@link BatchIndexFullError}, and as `readManifest`.
   */
  add(source: ManifestSource, batch: Batch, options: AddManifestOptions = {}): Promise<AddedManifest> {
    const added = this.#turn.then(() => this.#add(source, batch, options))
    this.#turn = added.catch(() => undefined) // whoever called learns of it
    return added
  }

  /** Drops a batch: its places are absent at once. */
  forget(manufacturerId: number, series: number): void {
    const batch = this.#ranges.forget(manufacturerId, series)
    if (batch !== undefined) this.#manifests.delete(batch)
  }

  /**
   * Where a credential stands, as one number: {@link BatchIndex.batchOf} and `indexOfFound` take it apart.
   * {@link NOT_INDEXED} if nowhere; {@link CONTESTED} if several manufacturers claim it and none was named, or if one
   * manufacturer registered it twice in the same second: see {@link claims}.
   *
   * @param manufacturerId Whose batches count. Default: all.
   * @throws {@link HashLengthError}
   */
  lookup(credentialHash: Uint8Array, manufacturerId = 0): number {
    assertHash(credentialHash, "credentialHash")
    const tags = this.#tags
    tags.read(credentialHash, 0)
    const place = this.#table.find(tags.high, tags.low)
    if (place >= 0) return this.#ranges.find(place, manufacturerId)
    return place === ABSENT ? NOT_INDEXED : standingClaim(this.claims(credentialHash), manufacturerId)
  }

  /** The batch of what {@link lookup} found; undefined of what is no find. */
  batchOf(found: number): IndexedBatch | undefined {
    return this.#ranges.at(found)
  }

  /** Every place that holds a credential, those that do not count included. */
  claims(credentialHash: Uint8Array): Claim[] {
    assertHash(credentialHash, "credentialHash")
    this.#tags.read(credentialHash, 0)
    return this.#claimsOf(this.#tags.high, this.#tags.low)
  }

  /** The claims of each credential that more than one place holds. */
  *repeated(): Generator<Claim[]> {
    for (const [high, low] of this.#table.severals()) {
      const claims = this.#claimsOf(high, low)
      if (claims.length > 1) yield claims
    }
  }

  /**
   * The receipt of a credential from its manifest's source, read again and proven against the root. Of several places
   * the one that counts, else the one registered first.
   *
   * @throws as the source does. {@link RootMismatchError} when it changed.
   */
  async receiptOf(credentialHash: Hex): Promise<Receipt | undefined> {
    if (!/^0x[0-9a-f]{64}$/i.test(credentialHash)) return undefined
    const hash = fromHex(credentialHash)
    for (const { batch, index } of this.claims(hash)) {
      const manifest = this.#manifests.get(batch)
      if (manifest === undefined) continue
      const { credentialHash: found, proof } = await manifest.entry(index)
      if (!equalBytes(found, hash)) continue
      const { chainId, registry, manufacturerId, series, size } = manifest.header
      return { chainId, registry, manufacturerId, series, size, index, proof }
    }
    return undefined
  }

  async #add(source: ManifestSource, batch: Batch, options: AddManifestOptions): Promise<AddedManifest> {
    if (this.has(batch)) return { devices: batch.size, repeated: 0 }
    const first = this.#ranges.end
    if (first + batch.size > this.#maxDevices) throw new BatchIndexFullError({ limit: `${this.#maxDevices} devices` })
    await assertManifestOf(source, batch, this.#deployment)

    // What is added counts only once the ranges know the batch; until then every look-up passes over it.
    this.#table.reserve(batch.size)
    let repeated = 0
    try {
      const manifest = await readManifest(source, {
        root: batch.root,
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
        onSlice: ({ from, credentialHashes }) => {
          repeated += this.#addSlice(credentialHashes, { first, from })
        },
      })
      const { manufacturerId, series, root, size, registeredAt } = batch
      const former = this.#ranges.batch(manufacturerId, series)
      this.#manifests.set(this.#ranges.append({ manufacturerId, series, root, size, registeredAt }), manifest)
      if (former !== undefined) this.#manifests.delete(former)
    } catch (error) {
      this.#table.filter((place) => place < first)
      throw error
    }
    return { devices: batch.size, repeated }
  }

  /** How many of these credentials were there already. */
  #addSlice(hashes: Uint8Array, { first, from }: { first: number; from: number }): number {
    const [tags, table] = [this.#tags, this.#table]
    let repeated = 0
    for (let offset = 0; offset < hashes.length; offset += HASH_BYTES) {
      const index = from + offset / HASH_BYTES
      tags.read(hashes, offset)
      const same = table.add(tags.high, tags.low, first + index)
      if (same === 0) continue
      repeated++
      if (same < MOST_REPEATS) continue
      const own = table.findAll(tags.high, tags.low).filter((place) => place >= first)
      if (own.length > MOST_REPEATS) throw new ManifestCrowdedError({ index })
    }
    return repeated
  }

  #claimsOf(high: number, low: number): Claim[] {
    const claims: Claim[] = []
    for (const place of this.#table.findAll(high, low)) {
      const found = this.#ranges.find(place, 0)
      const batch = this.#ranges.at(found)
      if (batch !== undefined) claims.push({ batch, index: found >>> 0, found })
    }
    return claims.toSorted((one, other) => one.batch.registeredAt - other.batch.registeredAt || one.found - other.found)
  }
}
