import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { decodeSign1, verifySign1 } from "../cose/sign1.ts"
import type { Sign1 } from "../cose/sign1.ts"
import { CborError, CoseError } from "../errors/cose.ts"
import { ImageTooLongError, ImageTruncatedError, SuitMalformedError } from "../errors/firmware.ts"
import { DetachedSignature } from "./detachedSignature.ts"
import { DigestSet } from "./imageDigests.ts"
import { ImageReader } from "./imageReader.ts"
import type { ImageReaderOptions } from "./imageReader.ts"
import { randomAccess } from "./imageSource.ts"
import type { ImageInput, ImageSource } from "./imageSource.ts"
import { isMcuboot, MCUBOOT_HEADER_BYTES, peekMcubootHash, readMcubootImage } from "./mcubootImage.ts"
import type { McubootImage } from "./mcubootImage.ts"
import { mcubootNamesKey, mcubootSignature, verifyMcubootSignature } from "./mcubootSignature.ts"
import { MAX_SUIT_BYTES } from "./suitCbor.ts"
import { isSuitEnvelope, readSuitEnvelope } from "./suitEnvelope.ts"
import type { SuitEnvelope } from "./suitEnvelope.ts"
import { checkSuitFiles } from "./suitFiles.ts"
import type { FirmwareFormat } from "./verdict.ts"

/** A signature that came with an image. */
export type SignatureClaim = {
  /** The key id that the file names its signer by, for keys that the ledger finds by it. */
  readonly keyId: Hex | undefined
  /** Whether what the file says about its signer fits this key. */
  names(spki: Uint8Array): boolean
  /** Whether this key made the signature. */
  isBy(spki: Uint8Array): Promise<boolean>
}

/** What the bytes alone say. */
export type Inspection = {
  readonly format: FirmwareFormat
  /** One sentence for a person. */
  readonly description: string
  readonly imageDigest: Hex
  readonly manifestDigest: Hex | undefined
  /** Whether `imageDigest` stands for a manifest of several files, not for one image. */
  readonly severalFiles: boolean
  /** MCUboot's security counter, or SUIT's sequence number. */
  readonly securityVersion: number | undefined
  /** Empty if nothing of the image is signed; a release on the ledger may still vouch for a plain file. */
  readonly claims: readonly SignatureClaim[]
  /** Whether a signature must come with it, release or not: bootloaders of this format demand one. */
  readonly mustBeSigned: boolean
}

export type InspectImageParameters = {
  image: ImageInput
  /** A detached signature over the whole of `image`. */
  signature?: Uint8Array | undefined
  /** A SUIT envelope that `image` is a component of. */
  manifest?: Uint8Array | undefined
  /** The other components of the manifest. */
  parts?: readonly ImageInput[] | undefined
  /** SubjectPublicKeyInfo of those who may have made a detached signature. */
  candidates: readonly Uint8Array[]
  crypto: CryptoBackend
  reading: ImageReaderOptions
}

/** Header parameter "kid": RFC 9052, 3.1. */
const KID = 4
const KEY_ID_BYTES = 32

/**
 * Reads an image, finds out what it is, and checks all that needs no ledger: structure, hashes, sizes. Signatures are left to be
 * checked with the keys that the ledger knows.
 *
 * @throws a named child of {@link ImageError} for each defect
 */
export async function inspectImage(parameters: InspectImageParameters): Promise<Inspection> {
  const { image, signature, manifest, parts = [], reading } = parameters
  if (manifest !== undefined) {
    if (signature !== undefined)
      throw new SuitMalformedError({ problem: "it carries its own signature; none goes with it" })
    return inspectSuit(readSuitEnvelope(manifest), [image, ...parts], parameters)
  }
  const source = randomAccess(image)
  const detached =
    signature === undefined
      ? undefined
      : new DetachedSignature({ signature, candidates: parameters.candidates, source, reading })
  const tap = detached === undefined ? {} : { tap: (part: Uint8Array) => detached.update(part) }
  const reader = new ImageReader(image, { ...reading, ...tap })
  try {
    const first = await reader.takeUpTo(MCUBOOT_HEADER_BYTES)
    if (isMcuboot(first)) return await inspectMcuboot(reader, first, source, detached, parameters)
    if (detached === undefined && isSuitEnvelope(first)) {
      const envelope = readSuitEnvelope(await takeEnvelope(reader, first))
      return await inspectSuit(envelope, parts, parameters)
    }
    return await inspectPlain(reader, first, detached)
  } finally {
    await reader.close()
  }
}

/** The digests by which the ledger knows an image and its manifest. @throws a named child of {@link ImageError} */
export async function imageDigests(
  parameters: Pick<InspectImageParameters, "image" | "manifest" | "parts">,
): Promise<{ readonly imageDigest: Hex; readonly manifestDigest: Hex | undefined }> {
  const inspection = await inspectImage({ ...parameters, candidates: [], crypto: defaultCrypto(), reading: {} })
  return { imageDigest: inspection.imageDigest, manifestDigest: inspection.manifestDigest }
}

async function inspectMcuboot(
  reader: ImageReader,
  first: Uint8Array,
  source: ImageSource | undefined,
  detached: DetachedSignature | undefined,
  { crypto }: InspectImageParameters,
): Promise<Inspection> {
  const ahead = source === undefined ? undefined : await peekMcubootHash(source)
  const image = await readMcubootImage(reader, first, ahead === undefined ? undefined : [ahead])
  detached?.finish()
  const { header, coveredBytes, securityCounter } = image
  return {
    format: detached === undefined ? "mcuboot" : "detached",
    description: `MCUboot image ${header.version}, ${coveredBytes} signed bytes`,
    imageDigest: toHex(image.digests.sha256),
    manifestDigest: undefined,
    severalFiles: false,
    securityVersion: securityCounter,
    // A signature over the whole file covers the one inside.
    claims: detached === undefined ? mcubootClaims(image, crypto, source) : [detachedClaim(detached)],
    mustBeSigned: true,
  }
}

function mcubootClaims(
  image: McubootImage,
  crypto: CryptoBackend,
  source: ImageSource | undefined,
): readonly SignatureClaim[] {
  const signature = mcubootSignature(image)
  if (signature === undefined) return []
  const { key } = signature
  return [
    {
      keyId: key === undefined ? undefined : namedKeyId(key),
      names: (spki) => mcubootNamesKey(key, spki),
      isBy: (spki) => verifyMcubootSignature(image, signature, { spki, crypto, source }),
    },
  ]
}

/** The hash of a SubjectPublicKeyInfo is the key id; that of an RSA key is not, and is found by looking at the keys. */
function namedKeyId(key: { hash: Uint8Array } | { publicKey: Uint8Array }): Hex | undefined {
  if ("publicKey" in key) return keyIdOf(key.publicKey)
  return key.hash.length === 32 ? toHex(key.hash) : undefined
}

async function inspectSuit(
  envelope: SuitEnvelope,
  files: readonly ImageInput[],
  { crypto, reading }: InspectImageParameters,
): Promise<Inspection> {
  const imageDigest = await checkSuitFiles(envelope, files, reading)
  const { sequenceNumber, components } = envelope.manifest
  const named = components.filter(({ digest }) => digest !== undefined).length
  return {
    format: "suit",
    description: `SUIT manifest ${sequenceNumber} with ${named} component${named === 1 ? "" : "s"}`,
    imageDigest: toHex(imageDigest),
    manifestDigest: toHex(envelope.manifestDigest),
    severalFiles: named > 1,
    securityVersion: sequenceNumber,
    claims: envelope.signatures.map((message) => suitClaim(message, envelope.signed, crypto)),
    mustBeSigned: true,
  }
}

function suitClaim(message: Uint8Array, signed: Uint8Array, crypto: CryptoBackend): SignatureClaim {
  const keyId = orUndefined(() => keyIdIn(decodeSign1(message)))
  return {
    keyId,
    names: (spki) => keyId === undefined || keyIdOf(spki) === keyId,
    isBy: async (spki) => {
      try {
        return await verifySign1(message, { spki, crypto, detachedPayload: signed })
      } catch (error) {
        // Of another algorithm than the key, or no signature at all: not this key's.
        if (error instanceof CoseError || error instanceof CborError) return false
        throw error
      }
    },
  }
}

/** A `kid` as long as a key id is one; any other names nobody on the ledger. RFC 9052, 3.1. */
function keyIdIn({ protectedHeaders, unprotectedHeaders }: Sign1): Hex | undefined {
  const kid = protectedHeaders.get(KID) ?? unprotectedHeaders.get(KID)
  return kid instanceof Uint8Array && kid.length === KEY_ID_BYTES ? toHex(kid) : undefined
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CoseError || error instanceof CborError) return undefined
    throw error
  }
}

async function inspectPlain(
  reader: ImageReader,
  first: Uint8Array,
  detached: DetachedSignature | undefined,
): Promise<Inspection> {
  const digest = detached === undefined ? await digestOfRest(reader, first) : await digestSeen(reader, detached)
  if (reader.position === 0) throw new ImageTruncatedError({ what: "the file", needed: 1, left: 0 })
  return {
    format: "detached",
    description: `a file of ${reader.position} bytes${detached === undefined ? "" : " with a signature of its own"}`,
    imageDigest: toHex(digest),
    manifestDigest: undefined,
    severalFiles: false,
    securityVersion: undefined,
    claims: detached === undefined ? [] : [detachedClaim(detached)],
    mustBeSigned: false,
  }
}

async function digestOfRest(reader: ImageReader, first: Uint8Array): Promise<Uint8Array> {
  const hashes = new DigestSet([])
  hashes.update(first)
  await reader.passRest((part) => hashes.update(part))
  return hashes.digests().sha256
}

async function digestSeen(reader: ImageReader, detached: DetachedSignature): Promise<Uint8Array> {
  await reader.passRest()
  return detached.finish().sha256
}

function detachedClaim(detached: DetachedSignature): SignatureClaim {
  return { keyId: undefined, names: () => true, isBy: (spki) => detached.isBy(spki) }
}

async function takeEnvelope(reader: ImageReader, first: Uint8Array): Promise<Uint8Array> {
  const rest = await reader.takeUpTo(MAX_SUIT_BYTES - first.length + 1)
  const bytes = new Uint8Array(first.length + rest.length)
  bytes.set(first)
  bytes.set(rest, first.length)
  if (bytes.length > MAX_SUIT_BYTES) {
    throw new ImageTooLongError({ limit: MAX_SUIT_BYTES, why: "the longest envelope that is read" })
  }
  return bytes
}
