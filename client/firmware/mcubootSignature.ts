import { sha256 } from "../crypto/sha256.ts"
import { equalBytes } from "../crypto/hex.ts"
import { pkcs1Of } from "../crypto/pkcs1.ts"
import { keyAlgorithmOf, parsePublicKey } from "../crypto/publicKey.ts"
import { ed25519EquationHolds } from "../crypto/ed25519Equation.ts"
import { streamingHash } from "../crypto/streamingHash.ts"
import type { CryptoBackend, HashAlgorithm, KeyAlgorithm } from "../crypto/types.ts"
import { verifyDigest } from "../crypto/verifyDigest.ts"
import { ImageAlgorithmError, ImageChangedError, ImageSourceError } from "../errors/firmware.ts"
import { DigestSet } from "./imageDigests.ts"
import { ImageReader } from "./imageReader.ts"
import type { ImageSource } from "./imageSource.ts"
import type { McubootImage } from "./mcubootImage.ts"
import { TLV } from "./mcubootTlv.ts"

/** The signature in an MCUboot image. */
export type McubootSignature = {
  readonly algorithm: KeyAlgorithm
  /** The signature as the TLV holds it. */
  readonly signature: Uint8Array
  /** Over which hash of the image; `pure`: Ed25519 over the image itself. */
  readonly over: HashAlgorithm | "pure"
  /** What the image says about its signer's key; undefined if it says nothing. */
  readonly key: McubootKeyClaim | undefined
}

/** Hash of the public key (SubjectPublicKeyInfo, but the PKCS#1 key for RSA), or that key itself. */
export type McubootKeyClaim = { readonly hash: Uint8Array } | { readonly publicKey: Uint8Array }

const OLD_PADDED_LENGTH = 72

/** Which kinds of key sign which hashes, as imgtool has it. RSA by length of the TLV. */
const SIGNATURES: readonly { type: number; over: HashAlgorithm; algorithm: KeyAlgorithm }[] = [
  { type: TLV.ecdsa, over: "sha256", algorithm: "p256" },
  { type: TLV.ecdsa, over: "sha384", algorithm: "p384" },
  { type: TLV.rsa2048Pss, over: "sha256", algorithm: "rsa" },
  { type: TLV.rsa3072Pss, over: "sha256", algorithm: "rsa" },
  { type: TLV.ed25519, over: "sha256", algorithm: "ed25519" },
  { type: TLV.ed25519, over: "sha512", algorithm: "ed25519" },
]
const SIGNATURE_TYPES = new Set(SIGNATURES.map(({ type }) => type))

/**
 * The image's signature; undefined when it carries none.
 *
 * @throws {@link ImageAlgorithmError} for a pair of hash and signature that imgtool does not make
 */
export function mcubootSignature(image: McubootImage): McubootSignature | undefined {
  const found = image.tlvs.find(({ type }) => SIGNATURE_TYPES.has(type))
  const pure = image.tlvs.find(({ type }) => type === TLV.pure)
  if (found === undefined) {
    if (pure !== undefined) {
      throw new ImageAlgorithmError({ algorithm: "pure", problem: "the image says so and has no signature" })
    }
    return undefined
  }
  const signature = found.value
  const key = keyClaim(image)
  if (pure !== undefined) {
    if (found.type !== TLV.ed25519 || pure.value[0] !== 1) {
      throw new ImageAlgorithmError({ algorithm: "pure", problem: "only Ed25519 signs whole images" })
    }
    return { algorithm: "ed25519", signature, over: "pure", key }
  }
  const kind = SIGNATURES.find(({ type, over }) => type === found.type && over === image.hash)
  if (kind === undefined) {
    const algorithm = `0x${found.type.toString(16)} over ${image.hash}`
    throw new ImageAlgorithmError({ algorithm, problem: "no such signature is made" })
  }
  return { algorithm: kind.algorithm, signature, over: kind.over, key }
}

/** Whether the image's claim about its signer means this key. Without a claim, any key may be meant. */
export function mcubootNamesKey(claim: McubootKeyClaim | undefined, spki: Uint8Array): boolean {
  if (claim === undefined) return true
  const named = keyAlgorithmOf(spki) === "rsa" ? pkcs1Of(spki) : spki
  if (named === undefined) return false
  if ("publicKey" in claim) return equalBytes(claim.publicKey, named)
  return equalBytes(claim.hash, hashOfLength(claim.hash.length, named))
}

/**
 * Whether `spki` signed the image.
 *
 * @param source The image again, where it can be read twice: Ed25519 over the image itself needs its signature first.
 * @throws {@link PublicKeyInvalidError} {@link ImageChangedError} {@link ImageSourceError}
 */
export async function verifyMcubootSignature(
  image: McubootImage,
  { algorithm, signature, over }: McubootSignature,
  { spki, crypto, source }: { spki: Uint8Array; crypto: CryptoBackend; source: ImageSource | undefined },
): Promise<boolean> {
  if (keyAlgorithmOf(spki) !== algorithm) return false
  if (over === "pure") return verifyPure(image, signature, spki, source)
  const digest = image.digests[over]
  if (digest === undefined) return false
  switch (algorithm) {
    case "ed25519":
      // The hash is the message. RFC 8032's pure form signs it like any other 32 or 64 bytes.
      return crypto.verify({ algorithm, spki, message: digest, signature })
    case "rsa":
      return verifyDigest({ algorithm: "rsa-pss-sha256", spki, digest, signature })
    case "p256":
      return verifyDigest({ algorithm: "ecdsa-p256-sha256", spki, digest, signature: withoutOldPadding(signature) })
    case "p384":
      return verifyDigest({ algorithm: "ecdsa-p384-sha384", spki, digest, signature })
    default:
      return algorithm satisfies never
  }
}

function keyClaim({ tlvs }: McubootImage): McubootKeyClaim | undefined {
  const claim = tlvs.find(({ type }) => type === TLV.keyHash || type === TLV.publicKey)
  if (claim === undefined) return undefined
  return claim.type === TLV.keyHash ? { hash: claim.value } : { publicKey: claim.value }
}

/** imgtool hashes the key with the image's own hash; 32, 48 and 64 octets tell which. */
function hashOfLength(length: number, bytes: Uint8Array): Uint8Array {
  if (length === 32) return sha256(bytes)
  const hash = streamingHash(length === 48 ? "sha384" : "sha512")
  hash.update(bytes)
  return hash.digest()
}

/** imgtool before 1.5 filled P-256 signatures up with zeros: DER says where the signature ends. */
function withoutOldPadding(signature: Uint8Array): Uint8Array {
  const length = 2 + (signature[1] as number)
  if (signature.length !== OLD_PADDED_LENGTH || length >= signature.length) return signature
  return signature.subarray(length).every((byte) => byte === 0) ? signature.subarray(0, length) : signature
}

async function verifyPure(
  image: McubootImage,
  signature: Uint8Array,
  spki: Uint8Array,
  source: ImageSource | undefined,
): Promise<boolean> {
  if (source === undefined) {
    throw new ImageSourceError({ problem: "a signature over the image itself needs a source that can be read twice" })
  }
  const publicKey = parsePublicKey(spki)
  if (publicKey.algorithm !== "ed25519") return false
  const again = new DigestSet([])
  const challenge = streamingHash("sha512")
  challenge.update(signature.subarray(0, 32))
  challenge.update(publicKey.key)
  const reader = new ImageReader(source)
  try {
    await reader.pass(image.coveredBytes, "the image", (part) => {
      again.update(part)
      challenge.update(part)
    })
  } finally {
    await reader.close()
  }
  if (!equalBytes(again.digests().sha256, image.digests.sha256)) throw new ImageChangedError()
  return ed25519EquationHolds(publicKey.key, challenge.digest(), signature)
}
