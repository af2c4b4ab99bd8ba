import { sha256 as portableSha256 } from "@noble/hashes/sha2.js"
import { nodeCrypto } from "../crypto/nodeCrypto.ts"

/**
 * Writes SHA-256(input) to `target[offset..offset+32]`. `input` may be a part of `target`.
 *
 * The bulk twin of `sha256`: it allocates no array for the result, which is what a tree of a million needs.
 */
export type DigestInto = (input: Uint8Array, target: Uint8Array, offset: number) => void

/**
 * The platform's one-shot SHA-256, or undefined where there is none.
 *
 * The digest is asked for as a Latin-1 string because that is four times as fast as a Buffer: a short one-byte
 * string costs no ArrayBuffer.
 */
export function nativeDigestInto(): DigestInto | undefined {
  const hash = nodeCrypto?.hash
  if (hash === undefined) return undefined

  return (input, target, offset) => {
    const digest = hash("sha256", input, "latin1")
    for (let i = 0; i < 32; i++) target[offset + i] = digest.charCodeAt(i)
  }
}

/** SHA-256 in plain JavaScript, for platforms without a synchronous native one. */
export function portableDigestInto(): DigestInto {
  return (input, target, offset) => target.set(portableSha256(input), offset)
}

/** The fastest that this platform has. */
export function defaultDigestInto(): DigestInto {
  return nativeDigestInto() ?? portableDigestInto()
}
