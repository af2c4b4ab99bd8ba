import { HashLengthError } from "../errors/merkle.ts"
import { HASH_BYTES } from "../merkle/limits.ts"
import { Manifest } from "../merkle/manifest.ts"
import type { OpenBatchPlace } from "./builtBatch.ts"
import type { CollectedRows } from "./collectedRows.ts"

/** A batch registered before: its manifest, or its credential hashes, one or many at a time, under a name for people. */
export type EarlierBatch =
  Manifest | { name: string; credentialHashes: AsyncIterable<Uint8Array> | Iterable<Uint8Array> }

/**
 * Drops rows whose credential an earlier batch holds: a credential belongs to one batch for ever. The earlier batches
 * are streamed past the rows, so they cost no memory however many they are.
 *
 * @throws {@link HashLengthError} when an earlier batch is no list of hashes. What reading a manifest throws.
 */
export async function dropEarlier(
  rows: CollectedRows,
  earlier: readonly EarlierBatch[],
  place: OpenBatchPlace,
  onProgress: (done: number) => void,
): Promise<void> {
  let done = 0
  for (const batch of earlier) {
    if (batch instanceof Manifest && (await isThisBatch(batch, rows, place))) continue
    const name = batch instanceof Manifest ? nameOf(batch) : batch.name
    let index = 0
    for await (const hashes of hashesOf(batch)) {
      if (hashes.length % HASH_BYTES !== 0) throw new HashLengthError({ field: name, length: hashes.length })
      for (let offset = 0; offset < hashes.length; offset += HASH_BYTES, index++) {
        const entry = rows.find(hashes, offset)
        if (entry < 0) continue
        const other = `${name}, index ${index}`
        rows.drop(entry, {
          code: "duplicateEarlier",
          other,
          message: `The credential is registered already: ${other}.`,
        })
      }
      done += hashes.length / HASH_BYTES
      onProgress(done)
    }
  }
}

async function* hashesOf(batch: EarlierBatch): AsyncGenerator<Uint8Array> {
  if (batch instanceof Manifest) for await (const { credentialHashes } of batch.slices()) yield credentialHashes
  else yield* batch.credentialHashes
}

function nameOf({ header }: Manifest): string {
  return `manufacturer ${header.manufacturerId}, series ${header.series}`
}

/** Whether the manifest is of the batch that is being built: a command that is run again meets its own output. */
async function isThisBatch(manifest: Manifest, rows: CollectedRows, place: OpenBatchPlace): Promise<boolean> {
  const { header } = manifest
  const samePlace =
    header.chainId === place.chainId &&
    header.registry === place.registry &&
    header.manufacturerId === place.manufacturerId &&
    header.series === (place.series ?? header.series)
  if (!samePlace || header.size !== rows.keptCount) return false

  const seen = new Uint8Array(rows.length)
  for await (const { credentialHashes } of manifest.slices()) {
    for (let offset = 0; offset < credentialHashes.length; offset += HASH_BYTES) {
      const entry = rows.find(credentialHashes, offset)
      if (entry < 0 || !rows.isKept(entry) || seen[entry] === 1) return false
      seen[entry] = 1
    }
  }
  return true
}
