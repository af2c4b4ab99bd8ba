import { sha256 as portable } from "@noble/hashes/sha2.js"
import { concatBytes, toHex } from "./hex.ts"
import type { Hex } from "./hex.ts"
import { nodeCrypto } from "./nodeCrypto.ts"

/** SHA-256 of the parts one after another: 32 bytes, at once. Native where Node's crypto exists, else plain JavaScript. */
export function sha256(...parts: Uint8Array[]): Uint8Array {
  const input = joined(parts)
  const native = nodeCrypto?.hash
  if (native === undefined) return portable(input)

  const digest = native("sha256", input, "latin1")
  const bytes = new Uint8Array(32)
  for (let i = 0; i < 32; i++) bytes[i] = digest.charCodeAt(i)
  return bytes
}

/** The same as hex text with 0x in front. */
export function sha256Hex(...parts: Uint8Array[]): Hex {
  const input = joined(parts)
  const native = nodeCrypto?.hash
  return native === undefined ? toHex(portable(input)) : `0x${native("sha256", input, "hex")}`
}

function joined(parts: Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts)
}
