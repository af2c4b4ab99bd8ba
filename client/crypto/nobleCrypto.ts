import { p256, p384 } from "@noble/curves/nist.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import { AlgorithmUnsupportedError } from "../errors/crypto.ts"
import { ed25519EquationHolds } from "./ed25519Equation.ts"
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

function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const challenge = sha512(concatBytes(signature.subarray(0, 32), publicKey, message))
  return ed25519EquationHolds(publicKey, challenge, signature)
}
