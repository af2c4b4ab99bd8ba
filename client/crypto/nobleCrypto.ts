import { ed25519 } from "@noble/curves/ed25519.js"
import { p256, p384 } from "@noble/curves/nist.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { AlgorithmUnsupportedError } from "../errors/crypto.ts"
import { concatBytes } from "./hex.ts"
import { algorithmParts, wellFormedSignature } from "./prepareVerify.ts"
import { parsePublicKey } from "./publicKey.ts"
import type { CryptoBackend, HashAlgorithm, VerifyParameters } from "./types.ts"
import { webCrypto } from "./webCrypto.ts"

const HASHES = { sha256, sha384, sha512 } as const satisfies Record<HashAlgorithm, (message: Uint8Array) => Uint8Array>

/** The back end in plain JavaScript (@noble/curves), for where there is no other. RSA needs WebCrypto all the same. */
export const nobleCrypto: CryptoBackend = { name: "noble", verify: async (parameters) => verify(parameters) }

function verify(parameters: VerifyParameters): boolean | Promise<boolean> {
  const { algorithm, spki, message, signature } = parameters
  const key = parsePublicKey(spki)
  const { hash } = algorithmParts(algorithm, key)
  if (key.algorithm === "rsa" || hash === undefined) {
    if (key.algorithm === "ed25519") return verifyEd25519(key.key, message, signature)
    if (webCrypto === undefined) throw new AlgorithmUnsupportedError({ algorithm, backend: "noble" })
    return webCrypto.verify(parameters)
  }
  const raw = wellFormedSignature(signature, key)
  if (raw === undefined || key.algorithm === "ed25519") return false

  const curve = key.algorithm === "p256" ? p256 : p384
  return curve.verify(raw, HASHES[hash](message), key.point, { lowS: false, prehash: false })
}

/**
 * RFC 8032, 5.1.7, in the form that OpenSSL and BoringSSL compute: R must be, octet for octet, the encoding of
 * [s]B - [k]A. The library's own check also accepts signatures that differ by a point of small order; those would be
 * good here and bad elsewhere.
 */
function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false
  const { Point } = ed25519
  const s = littleEndian(signature.subarray(32))
  if (s >= Point.Fn.ORDER) return false

  const encodedR = signature.subarray(0, 32)
  const k = littleEndian(sha512(concatBytes(encodedR, publicKey, message))) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey, false).multiplyUnsafe(k))
  return expected.toBytes().every((octet, i) => octet === encodedR[i])
}

function littleEndian(octets: Uint8Array): bigint {
  let value = 0n
  for (let i = octets.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(octets[i] as number)
  return value
}
