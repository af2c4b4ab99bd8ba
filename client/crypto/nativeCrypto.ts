import type { KeyObject } from "node:crypto"
import { PublicKeyInvalidError } from "../errors/crypto.ts"
import { KeyCache } from "./keyCache.ts"
import { nodeCrypto } from "./nodeCrypto.ts"
import { algorithmParts, HASH_OCTETS, isWellFormedSignature } from "./prepareVerify.ts"
import { parsePublicKey } from "./publicKey.ts"
import type { PublicKey } from "./publicKey.ts"
import type { CryptoBackend, VerifyParameters } from "./types.ts"

type ReadyKey = { key: PublicKey; native: KeyObject }

/** The back end on Node's own crypto (OpenSSL), the fastest; undefined where there is none. */
export const nativeCrypto: CryptoBackend | undefined =
  nodeCrypto === undefined ? undefined : makeNativeCrypto(nodeCrypto)

function makeNativeCrypto(module: NonNullable<typeof nodeCrypto>): CryptoBackend {
  const keys = new KeyCache<ReadyKey>()

  function readyKey(spki: Uint8Array): ReadyKey {
    const key = parsePublicKey(spki)
    try {
      // A Buffer view without a copy: createPublicKey's types know no plain Uint8Array for DER.
      const native = module.createPublicKey({ key: spki as Uint8Array & Buffer, format: "der", type: "spki" })
      return { key, native }
    } catch (cause) {
      throw new PublicKeyInvalidError({ reason: "OpenSSL does not take it", cause })
    }
  }

  function verifyNow({ algorithm, spki, message, signature }: VerifyParameters): boolean {
    const { key, native } = keys.get(spki, () => readyKey(spki))
    const { hash, padding } = algorithmParts(algorithm, key)
    if (!isWellFormedSignature(signature, key)) return false
    if (hash === undefined) return module.verify(null, message, native, signature)
    // ECDSA in DER and PKCS#1 v1.5 are what a bare key means; an options object would cost a sixth of the time.
    if (padding !== "pss") return module.verify(hash, message, native, signature)
    const pss = { padding: module.constants.RSA_PKCS1_PSS_PADDING, saltLength: HASH_OCTETS[hash] }
    return module.verify(hash, message, { key: native, ...pss }, signature)
  }

  // On the calling thread: one check is done sooner so than through the thread pool.
  return { name: "native", verify: async (parameters) => verifyNow(parameters), verifyNow }
}
