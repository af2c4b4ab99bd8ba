import { concatBytes } from "../crypto/hex.ts"
import { sha256 } from "../crypto/sha256.ts"
import type { BytesColumn } from "./columns.ts"

const BLOCK = 64
const DOMAIN = new TextEncoder().encode("fleetroot-shuffle-v1")

/**
 * Puts entries into an order that shows nothing of the one they came in, the same for the same secret: by
 * HMAC-SHA256(secret, "fleetroot-shuffle-v1" || credential hash), of which the first 53 bits decide.
 */
export function shuffle(order: Uint32Array, hashes: BytesColumn, secret: Uint8Array): Uint32Array {
  const mac = keyedHash(secret)
  const keys = new Float64Array(hashes.length)
  for (const entry of order) keys[entry] = first53Bits(mac(hashes.at(entry)))
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b)
}

/** HMAC, RFC 2104, for a secret of any length. */
function keyedHash(secret: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = new Uint8Array(BLOCK)
  key.set(secret.length > BLOCK ? sha256(secret) : secret)
  const inner = concatBytes(
    key.map((byte) => byte ^ 0x36),
    DOMAIN,
  )
  const outer = key.map((byte) => byte ^ 0x5c)
  return (message) => sha256(outer, sha256(inner, message))
}

function first53Bits(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8)
  return view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11)
}
