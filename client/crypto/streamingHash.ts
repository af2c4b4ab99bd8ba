import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { nodeCrypto } from "./nodeCrypto.ts"
import type { HashAlgorithm } from "./types.ts"

/** A hash that is fed piece by piece. */
export type StreamingHash = {
  /** Takes the next bytes; they may be overwritten afterwards. */
  update(bytes: Uint8Array): void
  /** The hash of all that was taken. Once only. */
  digest(): Uint8Array
}

const PORTABLE = { sha256, sha384, sha512 } as const satisfies Record<HashAlgorithm, unknown>

/** Starts a hash: native where Node's crypto exists, else plain JavaScript. Memory does not grow with the input. */
export function streamingHash(algorithm: HashAlgorithm): StreamingHash {
  return nativeHash(algorithm) ?? portableHash(algorithm)
}

/** Plain JavaScript, on every platform. */
export function portableHash(algorithm: HashAlgorithm): StreamingHash {
  const hash = PORTABLE[algorithm].create()
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.digest(),
  }
}

function nativeHash(algorithm: HashAlgorithm): StreamingHash | undefined {
  // Runtimes that imitate Node in part may lack it.
  if (typeof nodeCrypto?.createHash !== "function") return undefined
  const hash = nodeCrypto.createHash(algorithm)
  return {
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => new Uint8Array(hash.digest()),
  }
}
