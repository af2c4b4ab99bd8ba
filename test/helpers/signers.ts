import { generateP256Key, signerFromPkcs8 } from "../../client/index.ts"
import type { KeyAlgorithm, KeySigner } from "../../client/index.ts"

const PARAMETERS = {
  p384: { name: "ECDSA", namedCurve: "P-384" },
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
  ed25519: { name: "Ed25519" },
} as const

/** A fresh key of any kind that the library knows. */
export async function generateSigner(algorithm: KeyAlgorithm): Promise<KeySigner> {
  if (algorithm === "p256") return generateP256Key()
  const pair = (await crypto.subtle.generateKey(PARAMETERS[algorithm], true, ["sign", "verify"])) as CryptoKeyPair
  return signerFromPkcs8(new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)))
}
