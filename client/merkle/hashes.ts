import { sha256 } from "../crypto/sha256.ts"
import { assertHash } from "./limits.ts"

const LEAF_PREFIX = Uint8Array.of(0x00)
const NODE_PREFIX = Uint8Array.of(0x01)

/**
 * The hash of a leaf: SHA-256(0x00 || credential hash). RFC 9162, 2.1.1.
 *
 * The input is exactly 32 bytes, so that no inner node (65 bytes under another prefix) can pass for a credential.
 *
 * @throws {@link HashLengthError}
 */
export function leafHash(credentialHash: Uint8Array): Uint8Array {
  assertHash(credentialHash, "credentialHash")
  return sha256(LEAF_PREFIX, credentialHash)
}

/**
 * The hash of an inner node: SHA-256(0x01 || left || right). RFC 9162, 2.1.1.
 *
 * @throws {@link HashLengthError}
 */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  assertHash(left, "left")
  assertHash(right, "right")
  return sha256(NODE_PREFIX, left, right)
}
