import { AlgorithmUnsupportedError, PublicKeyInvalidError } from "../errors/crypto.ts"
import { KeyCache } from "./keyCache.ts"
import { algorithmParts, HASH_OCTETS, wellFormedSignature } from "./prepareVerify.ts"
import type { AlgorithmParts } from "./prepareVerify.ts"
import { parsePublicKey } from "./publicKey.ts"
import type { PublicKey } from "./publicKey.ts"
import type { CryptoBackend, HashAlgorithm, VerifyParameters } from "./types.ts"

const HASH_NAMES: Readonly<Record<HashAlgorithm, string>> = { sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512" }

/** The back end on WebCrypto, in browsers and elsewhere; undefined where there is none (pages without https). */
export const webCrypto: CryptoBackend | undefined = webCryptoOf(globalThis)

/** WebCrypto of `host`, or undefined. */
export function subtleOf(host: { crypto?: { subtle?: SubtleCrypto } }): SubtleCrypto | undefined {
  return host.crypto?.subtle
}

function webCryptoOf(host: Parameters<typeof subtleOf>[0]): CryptoBackend | undefined {
  const subtle = subtleOf(host)
  return subtle === undefined ? undefined : makeWebCrypto(subtle)
}

/** A back end on the given WebCrypto. */
export function makeWebCrypto(subtle: SubtleCrypto): CryptoBackend {
  const keys = new KeyCache<PublicKey>()
  const imported = new Map<string, KeyCache<Promise<CryptoKey>>>()

  async function importKey(algorithm: string, parts: AlgorithmParts, spki: Uint8Array): Promise<CryptoKey> {
    try {
      return await subtle.importKey("spki", bufferOf(spki), importAlgorithm(parts), false, ["verify"])
    } catch (cause) {
      // Browsers that do not know Ed25519 yet say NotSupportedError.
      if ((cause as { name?: unknown }).name === "NotSupportedError") {
        throw new AlgorithmUnsupportedError({ algorithm, backend: "WebCrypto", cause })
      }
      throw new PublicKeyInvalidError({ reason: "WebCrypto does not take it", cause })
    }
  }

  // WebCrypto ties the hash to an imported RSA key, so there is one cache for each algorithm.
  async function cryptoKey(algorithm: string, parts: AlgorithmParts, spki: Uint8Array): Promise<CryptoKey> {
    const cache = imported.get(algorithm) ?? new KeyCache<Promise<CryptoKey>>()
    imported.set(algorithm, cache)
    try {
      return await cache.get(spki, () => importKey(algorithm, parts, spki))
    } catch (error) {
      cache.forget(spki)
      throw error
    }
  }

  async function verify({ algorithm, spki, message, signature }: VerifyParameters): Promise<boolean> {
    const key = keys.get(spki, () => parsePublicKey(spki))
    const parts = algorithmParts(algorithm, key)
    const raw = wellFormedSignature(signature, key)
    if (raw === undefined) return false
    const ready = await cryptoKey(algorithm, parts, spki)
    return subtle.verify(verifyAlgorithm(parts), ready, bufferOf(raw), bufferOf(message))
  }

  return { name: "web", verify }
}

function importAlgorithm({
  key,
  padding,
  hash,
}: AlgorithmParts): AlgorithmIdentifier | EcKeyImportParams | RsaHashedImportParams {
  if (key === "ed25519" || hash === undefined) return { name: "Ed25519" }
  if (key === "rsa") return { name: padding === "pss" ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: HASH_NAMES[hash] }
  return { name: "ECDSA", namedCurve: key === "p256" ? "P-256" : "P-384" }
}

function verifyAlgorithm({ key, padding, hash }: AlgorithmParts): AlgorithmIdentifier | EcdsaParams | RsaPssParams {
  if (key === "ed25519" || hash === undefined) return { name: "Ed25519" }
  if (padding === "pss") return { name: "RSA-PSS", saltLength: HASH_OCTETS[hash] }
  if (padding === "pkcs1") return { name: "RSASSA-PKCS1-v1_5" }
  return { name: "ECDSA", hash: HASH_NAMES[hash] }
}

/** WebCrypto's types want bytes that are surely not shared memory; ours may be a view of anything. */
function bufferOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}
