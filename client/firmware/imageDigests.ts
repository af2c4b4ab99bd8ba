import { streamingHash } from "../crypto/streamingHash.ts"
import type { StreamingHash } from "../crypto/streamingHash.ts"
import type { HashAlgorithm } from "../crypto/types.ts"

/** Hashes of the same bytes; SHA-256, which the ledger knows images by, is always there. */
export type ImageDigests = { readonly sha256: Uint8Array } & Readonly<Partial<Record<HashAlgorithm, Uint8Array>>>

/** Computes several hashes in one pass. */
export class DigestSet {
  readonly #hashes: [HashAlgorithm, StreamingHash][]

  constructor(algorithms: Iterable<HashAlgorithm>) {
    const wanted = new Set<HashAlgorithm>(["sha256", ...algorithms])
    this.#hashes = [...wanted].map((algorithm) => [algorithm, streamingHash(algorithm)])
  }

  update(bytes: Uint8Array): void {
    for (const [, hash] of this.#hashes) hash.update(bytes)
  }

  digests(): ImageDigests {
    return Object.fromEntries(this.#hashes.map(([algorithm, hash]) => [algorithm, hash.digest()])) as ImageDigests
  }
}
