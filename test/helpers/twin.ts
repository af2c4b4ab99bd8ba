import { ecdsaDerToRaw, ecdsaRawToDer, parseCertificate, P256_ORDER, toHex } from "../../client/index.ts"
import { concatBytes } from "../../client/crypto/hex.ts"

/** The same certificate with the other signature that is as valid: (r, n - s) in place of (r, s). P-256 only. */
export function twinOf(der: Uint8Array): Uint8Array {
  const { tbs, signatureAlgorithmDer, signatureValue } = parseCertificate(der)
  const raw = ecdsaDerToRaw(signatureValue, 32)
  const s = P256_ORDER - BigInt(toHex(raw.subarray(32)))
  const twin = new Uint8Array(64)
  twin.set(raw.subarray(0, 32))
  for (let i = 63, rest = s; i >= 32; i--, rest >>= 8n) twin[i] = Number(rest & 0xffn)
  const signature = ecdsaRawToDer(twin)
  const bits = concatBytes(Uint8Array.of(0x03, signature.length + 1, 0), signature)
  return sequence(tbs, signatureAlgorithmDer, bits)
}

function sequence(...parts: Uint8Array[]): Uint8Array {
  const body = concatBytes(...parts)
  const { length } = body
  const header = length < 256 ? [0x30, 0x81, length] : [0x30, 0x82, length >> 8, length & 0xff]
  return concatBytes(Uint8Array.from(header), body)
}
