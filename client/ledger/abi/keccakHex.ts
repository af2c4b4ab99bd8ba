import { fromHex, toHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { keccak256 } from "../../crypto/keccak256.ts"

/** Keccak-256 of octets, or of those that hex stands for. */
export function keccakHex(data: Uint8Array | Hex): Hex {
  return toHex(keccak256(typeof data === "string" ? fromHex(data) : data))
}

/** Keccak-256 of a text in UTF-8. */
export function keccakText(text: string): Hex {
  return keccakHex(new TextEncoder().encode(text))
}
