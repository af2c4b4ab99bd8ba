import { ed25519 } from "@noble/curves/ed25519.js"

/**
 * The last step of verifying an Ed25519 signature, for messages that are too long to hold: RFC 8032, 5.1.7, in the form that
 * OpenSSL and BoringSSL compute: R must be, octet for octet, the encoding of [s]B - [k]A. The library's own check also accepts
 * signatures that differ by a point of small order; those would be good here and bad elsewhere.
 *
 * @param publicKey 32 octets, checked before.
 * @param challenge SHA-512 of R || A || message, R being the first 32 octets of the signature.
 */
export function ed25519EquationHolds(publicKey: Uint8Array, challenge: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || challenge.length !== 64) return false
  const { Point } = ed25519
  const s = littleEndian(signature.subarray(32))
  if (s >= Point.Fn.ORDER) return false

  const k = littleEndian(challenge) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey, false).multiplyUnsafe(k))
  return expected.toBytes().every((octet, i) => octet === signature[i])
}

function littleEndian(octets: Uint8Array): bigint {
  let value = 0n
  for (let i = octets.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(octets[i] as number)
  return value
}
