import type { Hex } from "./hex.ts"
import { sha256Hex } from "./sha256.ts"

/** The key id: SHA-256 of the DER SubjectPublicKeyInfo, as given. Equals MCUboot's KEYHASH for ECDSA and Ed25519. */
export function keyIdOf(spki: Uint8Array): Hex {
  return sha256Hex(spki)
}
