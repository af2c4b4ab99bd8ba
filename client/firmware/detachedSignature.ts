import { ecdsaDerToRaw, ecdsaRawToDer } from "../crypto/ecdsa.ts"
import { ed25519EquationHolds } from "../crypto/ed25519Equation.ts"
import { equalBytes, toHex } from "../crypto/hex.ts"
import { parsePublicKey } from "../crypto/publicKey.ts"
import type { PublicKey } from "../crypto/publicKey.ts"
import { streamingHash } from "../crypto/streamingHash.ts"
import type { StreamingHash } from "../crypto/streamingHash.ts"
import type { HashAlgorithm } from "../crypto/types.ts"
import { verifyDigest } from "../crypto/verifyDigest.ts"
import { FleetrootError } from "../errors/base.ts"
import { SignatureMalformedError } from "../errors/crypto.ts"
import { DetachedSignatureError, ImageChangedError } from "../errors/firmware.ts"
import { DigestSet } from "./imageDigests.ts"
import type { ImageDigests } from "./imageDigests.ts"
import { ImageReader } from "./imageReader.ts"
import type { ImageReaderOptions } from "./imageReader.ts"
import type { ImageSource } from "./imageSource.ts"

/** RSA of 8192 bits makes the longest signature. */
const LONGEST = 1_024
const HASHES: readonly HashAlgorithm[] = ["sha256", "sha384", "sha512"]
/** Ed25519 hashes key and message together, so each key that may have signed costs a hash of its own. */
const MOST_ED25519_KEYS = 8

type Candidate = { readonly spki: Uint8Array; readonly key: PublicKey }
type Challenge = { readonly spki: Uint8Array; readonly key: Uint8Array; readonly hash: StreamingHash }

export type DetachedSignatureOptions = {
  signature: Uint8Array
  /** SubjectPublicKeyInfo of everybody who may have signed, most likely first: some hashes need to know them beforehand. */
  candidates: readonly Uint8Array[]
  /** The file again, where it can be read twice: then the rarer hashes are only computed when they are needed. */
  source: ImageSource | undefined
  reading: ImageReaderOptions
}

/**
 * A signature in a file of its own, as `openssl dgst -sign` and `openssl pkeyutl -sign` write it: ECDSA as DER or r || s, RSA
 * PKCS#1 v1.5 or PSS with any salt, with SHA-256, SHA-384 or SHA-512; Ed25519 over the file. It does not say which, so that all
 * that its form and the keys allow is tried; but of Ed25519 keys only the first eight candidates.
 *
 * Feed it the whole file through {@link update}, then ask {@link isBy}.
 */
export class DetachedSignature {
  readonly #signature: Uint8Array
  readonly #source: ImageSource | undefined
  readonly #reading: ImageReaderOptions
  readonly #candidates: readonly Candidate[]
  readonly #hashes: DigestSet
  readonly #challenges: Challenge[]
  #digests: ImageDigests | undefined
  #more: Promise<ImageDigests> | undefined
  readonly #solved = new Map<string, Uint8Array>()

  /** @throws {@link DetachedSignatureError} when no algorithm makes such a signature */
  constructor({ signature, candidates, source, reading }: DetachedSignatureOptions) {
    if (!hasKnownForm(signature)) throw new DetachedSignatureError({ length: signature.length })
    this.#signature = signature.slice()
    this.#source = source
    this.#reading = reading
    this.#candidates = candidates.flatMap((spki) => candidateOf(spki) ?? []).filter(({ key }) => fits(signature, key))
    this.#hashes = new DigestSet(this.#firstHashes())
    this.#challenges = this.#candidates
      .flatMap(({ spki, key }) => (key.algorithm === "ed25519" ? [startChallenge(signature, spki, key.key)] : []))
      .slice(0, MOST_ED25519_KEYS)
  }

  /** Takes the next bytes of the file. */
  update(part: Uint8Array): void {
    this.#hashes.update(part)
    for (const { hash } of this.#challenges) hash.update(part)
  }

  /** Ends the file. */
  finish(): ImageDigests {
    if (this.#digests !== undefined) return this.#digests
    this.#digests = this.#hashes.digests()
    for (const { spki, hash } of this.#challenges) this.#solved.set(toHex(spki), hash.digest())
    return this.#digests
  }

  /**
   * Whether this key made the signature over the file.
   *
   * @throws {@link ImageChangedError} {@link ImageSourceError} when the file is read again
   */
  async isBy(spki: Uint8Array): Promise<boolean> {
    const digests = this.finish()
    const key = this.#candidates.find((candidate) => equalBytes(candidate.spki, spki))?.key
    if (key === undefined) return false
    if (key.algorithm === "ed25519") {
      const challenge = this.#solved.get(toHex(spki))
      return challenge !== undefined && ed25519EquationHolds(key.key, challenge, this.#signature)
    }
    if (this.#tryAll(spki, key, digests)) return true
    if (this.#source === undefined || HASHES.every((hash) => digests[hash] !== undefined)) return false
    this.#more ??= this.#readAgain(this.#source, digests)
    return this.#tryAll(spki, key, await this.#more)
  }

  /** SHA-256 is what nearly everybody takes; P-384 goes with SHA-384 as often. */
  #firstHashes(): readonly HashAlgorithm[] {
    const kinds = new Set(this.#candidates.map(({ key }) => key.algorithm))
    if (this.#source === undefined && kinds.size > 0) return HASHES
    return kinds.has("p384") ? ["sha256", "sha384"] : ["sha256"]
  }

  #tryAll(spki: Uint8Array, key: Exclude<PublicKey, { algorithm: "ed25519" }>, digests: ImageDigests): boolean {
    return HASHES.some((hash) => {
      const digest = digests[hash]
      if (digest === undefined) return false
      const signature = this.#signature
      if (key.algorithm === "rsa") {
        return (
          verifyDigest({ algorithm: `rsa-pkcs1-${hash}`, spki, digest, signature }) ||
          verifyDigest({ algorithm: `rsa-pss-${hash}`, spki, digest, signature, pssSalt: "any" })
        )
      }
      const algorithm = `ecdsa-${key.algorithm}-${hash}` as const
      return ecdsaForms(signature, key.algorithm === "p256" ? 32 : 48).some((der) =>
        verifyDigest({ algorithm, spki, digest, signature: der }),
      )
    })
  }

  async #readAgain(source: ImageSource, before: ImageDigests): Promise<ImageDigests> {
    const hashes = new DigestSet(HASHES)
    const reader = new ImageReader(source, this.#reading)
    await reader.passRest((part) => hashes.update(part))
    const digests = hashes.digests()
    if (!equalBytes(digests.sha256, before.sha256)) throw new ImageChangedError()
    return digests
  }
}

/** The signature in DER, by each reading that its bytes allow. */
function ecdsaForms(signature: Uint8Array, length: 32 | 48): Uint8Array[] {
  const forms: Uint8Array[] = []
  if (isWellFormed(() => ecdsaDerToRaw(signature, length))) forms.push(signature)
  if (signature.length === 2 * length && isWellFormed(() => ecdsaRawToDer(signature))) {
    forms.push(ecdsaRawToDer(signature))
  }
  return forms
}

function isWellFormed(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    if (error instanceof SignatureMalformedError) return false
    throw error
  }
}

function hasKnownForm(signature: Uint8Array): boolean {
  const { length } = signature
  if (length === 64 || (length >= 256 && length <= LONGEST)) return true
  return ecdsaForms(signature, 32).length > 0 || ecdsaForms(signature, 48).length > 0
}

function fits(signature: Uint8Array, key: PublicKey): boolean {
  if (key.algorithm === "rsa") return signature.length === Math.ceil(key.bits / 8)
  if (key.algorithm === "ed25519") return signature.length === 64
  return ecdsaForms(signature, key.algorithm === "p256" ? 32 : 48).length > 0
}

/** A key on the ledger that is no sound key has signed nothing. */
function candidateOf(spki: Uint8Array): Candidate | undefined {
  try {
    return { spki, key: parsePublicKey(spki) }
  } catch (error) {
    if (error instanceof FleetrootError) return undefined
    throw error
  }
}

/** SHA-512 of R || A, to go on with the message: RFC 8032, 5.1.7. */
function startChallenge(signature: Uint8Array, spki: Uint8Array, key: Uint8Array): Challenge {
  const hash = streamingHash("sha512")
  hash.update(signature.subarray(0, 32))
  hash.update(key)
  return { spki, key, hash }
}
