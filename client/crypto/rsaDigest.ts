import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, equalBytes, fromHex, toHex } from "./hex.ts"
import { HASH_OCTETS } from "./prepareVerify.ts"
import type { PublicKey } from "./publicKey.ts"
import type { HashAlgorithm } from "./types.ts"

/** Salt of RSA-PSS: as long as the hash, or of whatever length the signer took (`openssl dgst` takes the longest). */
export type PssSalt = "digest" | "any"

type RsaKey = Extract<PublicKey, { algorithm: "rsa" }>

const HASHES = { sha256, sha384, sha512 } as const satisfies Record<HashAlgorithm, unknown>

// DigestInfo up to the hash: RFC 8017, 9.2, note 1.
const DIGEST_INFO: Readonly<Record<HashAlgorithm, Uint8Array>> = {
  sha256: fromHex("0x3031300d060960864801650304020105000420"),
  sha384: fromHex("0x3041300d060960864801650304020205000430"),
  sha512: fromHex("0x3051300d060960864801650304020305000440"),
}

/** Whether `signature` is RSASSA-PKCS1-v1_5 over the digest. RFC 8017, 8.2.2: the encoding is made anew and compared. */
export function verifyRsaPkcs1(key: RsaKey, hash: HashAlgorithm, digest: Uint8Array, signature: Uint8Array): boolean {
  const found = publicOperation(key, signature)
  if (found === undefined) return false
  const info = concatBytes(DIGEST_INFO[hash], digest)
  const expected = new Uint8Array(found.length).fill(0xff)
  expected.set([0, 1], 0)
  expected[found.length - info.length - 1] = 0
  expected.set(info, found.length - info.length)
  return equalBytes(found, expected)
}

/** Whether `signature` is RSASSA-PSS over the digest, with MGF1 of the same hash. RFC 8017, 8.1.2 and 9.1.2. */
export function verifyRsaPss(
  key: RsaKey,
  hash: HashAlgorithm,
  digest: Uint8Array,
  signature: Uint8Array,
  salt: PssSalt,
): boolean {
  const whole = publicOperation(key, signature)
  if (whole === undefined) return false
  const emBits = key.bits - 1
  const emLength = Math.ceil(emBits / 8)
  // With a modulus of 8n + 1 bits the encoded message is an octet shorter than the modulus.
  if (whole.subarray(0, whole.length - emLength).some((octet) => octet !== 0)) return false
  const encoded = whole.subarray(whole.length - emLength)
  const hashLength = HASH_OCTETS[hash]
  const dbLength = emLength - hashLength - 1
  if (dbLength < 1 || encoded.at(-1) !== 0xbc) return false

  const unusedBits = 8 * emLength - emBits
  const clear = 0xff >> unusedBits
  if (((encoded[0] as number) & ~clear) !== 0) return false
  const h = encoded.subarray(dbLength, dbLength + hashLength)
  const db = mask(encoded.subarray(0, dbLength), h, hash)
  db[0] = (db[0] as number) & clear

  const one = db.findIndex((octet) => octet !== 0)
  if (one < 0 || db[one] !== 1) return false
  const saltBytes = db.subarray(one + 1)
  if (salt === "digest" && saltBytes.length !== hashLength) return false
  return equalBytes(h, HASHES[hash](concatBytes(new Uint8Array(8), digest, saltBytes)))
}

/** signature^e mod n, as long as n; undefined when the signature is not a number below n of n's length. */
function publicOperation({ modulus, exponent, bits }: RsaKey, signature: Uint8Array): Uint8Array | undefined {
  const length = Math.ceil(bits / 8)
  if (signature.length !== length) return undefined
  const n = BigInt(toHex(modulus))
  const s = BigInt(toHex(signature))
  if (s >= n) return undefined

  const e = BigInt(toHex(exponent))
  let power = 1n
  for (let bit = 1n << BigInt(e.toString(2).length - 1); bit > 0n; bit >>= 1n) {
    power = (power * power) % n
    if ((e & bit) !== 0n) power = (power * s) % n
  }
  return fromHex(`0x${power.toString(16).padStart(2 * length, "0")}`)
}

/** MGF1, RFC 8017, B.2.1, laid over `bytes`. */
function mask(bytes: Uint8Array, seed: Uint8Array, hash: HashAlgorithm): Uint8Array {
  const masked = bytes.slice()
  const counter = new Uint8Array(4)
  for (let start = 0, block = 0; start < masked.length; start += HASH_OCTETS[hash], block++) {
    new DataView(counter.buffer).setUint32(0, block)
    const pad = HASHES[hash](concatBytes(seed, counter))
    for (let i = 0; i < pad.length && start + i < masked.length; i++) {
      masked[start + i] = (masked[start + i] as number) ^ (pad[i] as number)
    }
  }
  return masked
}
