import { CborTag, encodeCbor, isCborArray, isCborMap } from "../cose/cbor.ts"
import type { CborMap, CborValue } from "../cose/cbor.ts"
import { sha256 } from "../crypto/sha256.ts"
import { ImageTooLongError, SuitDigestMismatchError, SuitMalformedError } from "../errors/firmware.ts"
import { decodeSuit, describeLabel, digestMatches, MAX_SUIT_BYTES, readSuitDigest } from "./suitCbor.ts"
import type { SuitDigest } from "./suitCbor.ts"
import { readSuitManifest } from "./suitManifest.ts"
import type { SuitManifest } from "./suitManifest.ts"

/** A SUIT envelope whose digests are right. Nothing is known yet about who signed it. */
export type SuitEnvelope = {
  readonly manifest: SuitManifest
  /** SHA-256 of the manifest in its byte string, header included: how the ledger knows the manifest. */
  readonly manifestDigest: Uint8Array
  /** What the signatures sign: the encoded SUIT_Digest. */
  readonly signed: Uint8Array
  /** COSE_Sign1 messages with detached payload. */
  readonly signatures: readonly Uint8Array[]
  /** Payloads that travel in the envelope, by their URI. */
  readonly payloads: ReadonlyMap<string, Uint8Array>
}

/** No envelope needs more signatures. */
const MAX_SIGNATURES = 16

const ENVELOPE_TAG = 107
const AUTHENTICATION = 2
const MANIFEST = 3
/** Parts of the manifest that may be cut off the envelope: RFC-to-be draft-ietf-suit-manifest, 8.5. */
const SEVERABLE: ReadonlyMap<number, string> = new Map([
  [15, "dependency-resolution"],
  [16, "payload-fetch"],
  [18, "candidate-verification"],
  [20, "install"],
  [23, "text"],
])
/** Whether the bytes begin like an envelope: tag 107 with a map inside. */
export function isSuitEnvelope(first: Uint8Array): boolean {
  return first[0] === 0xd8 && first[1] === ENVELOPE_TAG && (first[2] ?? 0) >> 5 === 5
}

/**
 * Reads an envelope, with its tag or without, and checks everything that needs no key: form, digests, severed parts.
 *
 * @throws a named child of {@link ImageError} for each cause
 */
export function readSuitEnvelope(bytes: Uint8Array): SuitEnvelope {
  if (bytes.length > MAX_SUIT_BYTES) {
    throw new ImageTooLongError({ limit: MAX_SUIT_BYTES, why: "the longest envelope that is read" })
  }
  const envelope = mapOf(untagged(decodeSuit(bytes, "the envelope")), "the envelope")
  const authentication = bytesOf(envelope.get(AUTHENTICATION), "the authentication wrapper")
  const { digest, signed, signatures } = readAuthentication(authentication)
  const manifestBytes = bytesOf(envelope.get(MANIFEST), "the manifest")
  const wrapped = wrap(manifestBytes)
  if (!digestMatches(digest, wrapped)) throw new SuitDigestMismatchError({ element: "manifest" })

  const elements = mapOf(decodeSuit(manifestBytes, "the manifest"), "the manifest")
  return {
    manifest: readSuitManifest(withSevered(elements, envelope)),
    manifestDigest: sha256(wrapped),
    signed,
    signatures,
    payloads: integratedPayloads(envelope),
  }
}

function readAuthentication(bytes: Uint8Array): Pick<SuitEnvelope, "signed" | "signatures"> & { digest: SuitDigest } {
  const blocks = decodeSuit(bytes, "the authentication wrapper")
  if (!isCborArray(blocks) || blocks.length === 0) refuse("the authentication wrapper is no list")
  if (blocks.length > 1 + MAX_SIGNATURES) refuse(`it has more than ${MAX_SIGNATURES} signatures`)
  const [signed, ...signatures] = blocks.map((block) => bytesOf(block, "an authentication block"))
  if (signed === undefined) refuse("the authentication wrapper is empty")
  return { signed, signatures, digest: readSuitDigest(decodeSuit(signed, "the manifest's digest"), "its digest") }
}

/** The manifest with the parts put back that were cut off, each checked against the digest that took its place. */
function withSevered(manifest: CborMap, envelope: CborMap): CborMap {
  const whole = new Map(manifest)
  for (const key of envelope.keys()) {
    if (key === AUTHENTICATION || key === MANIFEST || typeof key === "string") continue
    const name = typeof key === "number" ? SEVERABLE.get(key) : undefined
    if (name === undefined) refuse(`element ${describeLabel(key)} of the envelope is unknown`)
    const element = bytesOf(envelope.get(key), name)
    const inPlace = manifest.get(key)
    // Without a digest nobody vouches for it.
    if (!isCborArray(inPlace)) refuse(`the manifest holds no digest of ${name}`)
    if (!digestMatches(readSuitDigest(inPlace, name), wrap(element)))
      throw new SuitDigestMismatchError({ element: name })
    whole.set(key, element)
  }
  return whole
}

function integratedPayloads(envelope: CborMap): Map<string, Uint8Array> {
  const payloads = new Map<string, Uint8Array>()
  for (const [key, value] of envelope) {
    if (typeof key === "string") payloads.set(key, bytesOf(value, "an integrated payload"))
  }
  return payloads
}

/** Digests cover the byte string with its header: draft-ietf-suit-manifest, 8.4.12. */
function wrap(bytes: Uint8Array): Uint8Array {
  return encodeCbor(bytes, { maxBytes: 2 * MAX_SUIT_BYTES })
}

function untagged(value: CborValue): CborValue {
  if (!(value instanceof CborTag)) return value
  if (BigInt(value.tag.valueOf()) !== BigInt(ENVELOPE_TAG)) refuse("its tag is not 107")
  return value.contents as CborValue
}

function mapOf(value: CborValue, what: string): CborMap {
  if (isCborMap(value)) return value
  return refuse(`${what} is no map`)
}

function bytesOf(value: CborValue, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  return refuse(`${what} is missing or no byte string`)
}

function refuse(problem: string): never {
  throw new SuitMalformedError({ problem })
}
