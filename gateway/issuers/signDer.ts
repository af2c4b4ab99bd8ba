import {
  derBitString,
  derSequence,
  ecdsaRawToDer,
  signatureAlgorithmIdentifier,
  type KeySigner,
} from "../../client/index.ts"

/** AlgorithmIdentifier and BIT STRING of a signature over `content`, as X.509, CRLs and OCSP put them behind it. */
export async function signDer(content: Uint8Array, signer: KeySigner): Promise<[Uint8Array, Uint8Array]> {
  const signature = await signer.sign(content)
  const ecdsa = signer.algorithm === "p256" || signer.algorithm === "p384"
  const octets = ecdsa ? ecdsaRawToDer(signature) : signature
  return [signatureAlgorithmIdentifier(signer.algorithm), derBitString(octets)]
}

/** SEQUENCE { content, AlgorithmIdentifier, BIT STRING }: what X.509 calls SIGNED. */
export async function signedDer(content: Uint8Array, signer: KeySigner): Promise<Uint8Array> {
  return derSequence(content, ...(await signDer(content, signer)))
}
