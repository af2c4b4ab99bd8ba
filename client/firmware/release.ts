import { ecdsaRawToDer, normalizeLowS, splitRaw } from "../crypto/ecdsa.ts"
import { concatBytes, fromHex, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { sha256 } from "../crypto/sha256.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { verifyDigest } from "../crypto/verifyDigest.ts"
import { FleetrootError } from "../errors/base.ts"
import { ReleaseFieldError, ReleaseSignatureInvalidError, ReleaseSignerError } from "../errors/firmware.ts"
import { keccakText } from "../ledger/abi/keccakHex.ts"
import { preimage } from "../ledger/statements.ts"
import { isPlainText } from "./product.ts"
import { assertSecurityVersion } from "./securityVersion.ts"

/** One signer's word for a release. */
export type ReleaseSignature = {
  readonly keyId: Hex
  readonly r: Hex
  /** At most half of the curve's order. */
  readonly s: Hex
}

/** A release on its way to the ledger: what is signed, and the signatures so far. */
export type ReleaseDraft = {
  readonly chainId: number
  /** The FirmwareRegistry. */
  readonly registry: Hex
  readonly manufacturerId: number
  /** 32 octets; see {@link productId}. */
  readonly product: Hex
  readonly securityVersion: number
  readonly imageDigest: Hex
  readonly manifestDigest: Hex | undefined
  /** For people: 1 to 64 octets. */
  readonly version: string
  /** Where the image may be had: at most 512 octets. */
  readonly uri: string
  readonly signatures: readonly ReleaseSignature[]
}

/** What a release says, whoever signed it. */
export type ReleaseFields = Omit<ReleaseDraft, "signatures">

/** The most signatures that a release carries: `FirmwareRegistry.MAX_SIGNATURES`. */
export const MAX_RELEASE_SIGNATURES = 8

const MAX_VERSION = 64
const MAX_URI = 512
const ZERO_HASH: Hex = `0x${"0".repeat(64)}`
const TYPE =
  "Release(uint32 manufacturerId,bytes32 product,uint64 securityVersion,bytes32 imageDigest,bytes32 manifestDigest,string version,string uri)"

/** @throws {@link ReleaseFieldError} for whatever the contract would refuse */
export function assertReleaseFields(fields: ReleaseFields): void {
  const { chainId, registry, manufacturerId, product, imageDigest, manifestDigest, version, uri } = fields
  assertCount(chainId, "chain id", Number.MAX_SAFE_INTEGER)
  assertPattern(registry, /^0x[0-9a-f]{40}$/, "registry", "20 octets in lower-case hex")
  assertCount(manufacturerId, "manufacturer", 0xffff_ffff)
  assertHash(product, "product")
  assertSecurityVersion(fields.securityVersion)
  assertHash(imageDigest, "image digest")
  if (manifestDigest !== undefined) assertHash(manifestDigest, "manifest digest")
  assertText(version, "version", 1, MAX_VERSION)
  assertText(uri, "URI", 0, MAX_URI)
}

/** The 66 octets that each signer signs: docs/formats.md, "Firmware release". @throws {@link ReleaseFieldError} */
export function releaseStatement(fields: ReleaseFields): Uint8Array {
  assertReleaseFields(fields)
  const { chainId, registry, manufacturerId, product, securityVersion, imageDigest, version, uri } = fields
  return preimage(
    "firmware",
    { chainId, verifyingContract: registry },
    TYPE,
    ["uint32", "bytes32", "uint64", "bytes32", "bytes32", "bytes32", "bytes32"],
    [
      manufacturerId,
      product,
      BigInt(securityVersion),
      imageDigest,
      fields.manifestDigest ?? ZERO_HASH,
      // EIP-712: a string counts as its Keccak-256.
      keccakText(version),
      keccakText(uri),
    ],
  )
}

/**
 * Adds a signer's signature; one that is there already stays. Needs neither network nor ether. Whoever signs must have looked at
 * what the release says.
 *
 * @throws {@link ReleaseSignerError} {@link ReleaseSignatureInvalidError} when the signer's device gave a wrong signature
 */
export async function signRelease(draft: ReleaseDraft, signer: KeySigner): Promise<ReleaseDraft> {
  const keyId = keyIdOf(signer.spki)
  if (signer.algorithm !== "p256") throw new ReleaseSignerError({ keyId, problem: `it is ${signer.algorithm}` })
  if (draft.signatures.some((signature) => signature.keyId === keyId)) return draft
  if (draft.signatures.length >= MAX_RELEASE_SIGNATURES) {
    throw new ReleaseSignerError({ keyId, problem: `there are ${MAX_RELEASE_SIGNATURES} signatures already` })
  }
  const raw = normalizeLowS(await signer.sign(releaseStatement(draft)))
  const signature = { keyId, ...splitRaw(raw) }
  if (!isSignedBy(draft, signature, signer.spki)) throw new ReleaseSignatureInvalidError({ keyId })
  return { ...draft, signatures: [...draft.signatures, signature] }
}

/** Whether the signature is this key's over the release, in the form that the contract takes. */
export function isSignedBy(fields: ReleaseFields, { r, s }: ReleaseSignature, spki: Uint8Array): boolean {
  const digest = sha256(releaseStatement(fields))
  try {
    const raw = concatBytes(fromHex(r), fromHex(s))
    if (toHex(normalizeLowS(raw)) !== toHex(raw)) return false
    return verifyDigest({ algorithm: "ecdsa-p256-sha256", spki, digest, signature: ecdsaRawToDer(raw) })
  } catch (error) {
    if (error instanceof FleetrootError) return false
    throw error
  }
}

/** @throws {@link ReleaseFieldError} unless the text has so many octets and no control characters */
export function assertText(text: string, field: string, minimum: number, maximum: number): void {
  const { length } = new TextEncoder().encode(text)
  if (length < minimum || length > maximum) {
    refuse(field, `${minimum} to ${maximum} octets long`, `${length} octets`)
  }
  if (!isPlainText(text)) refuse(field, "free of control characters", JSON.stringify(text))
}

function assertHash(value: Hex, field: string): void {
  assertPattern(value, /^0x[0-9a-f]{64}$/, field, "32 octets in lower-case hex")
  if (value === ZERO_HASH) refuse(field, "not zero", value)
}

function assertPattern(value: string, pattern: RegExp, field: string, expected: string): void {
  if (!pattern.test(value)) refuse(field, expected, JSON.stringify(value).slice(0, 90))
}

function assertCount(value: number, field: string, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= maximum) return
  refuse(field, `an integer from 1 to ${maximum}`, String(value))
}

function refuse(field: string, expected: string, found: string): never {
  throw new ReleaseFieldError({ field, expected, found })
}
