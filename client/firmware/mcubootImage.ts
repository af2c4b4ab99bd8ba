import { equalBytes, toHex } from "../crypto/hex.ts"
import type { HashAlgorithm } from "../crypto/types.ts"
import {
  ImageDigestMismatchError,
  ImageEncryptedError,
  ImageHashMissingError,
  ImageTruncatedError,
  McubootHeaderError,
} from "../errors/firmware.ts"
import { DigestSet } from "./imageDigests.ts"
import type { ImageDigests } from "./imageDigests.ts"
import type { ImageReader } from "./imageReader.ts"
import type { ImageSource } from "./imageSource.ts"
import { readTlvArea, TLV } from "./mcubootTlv.ts"
import type { McubootTlv } from "./mcubootTlv.ts"
import { SlotPadding } from "./slotPadding.ts"

/** The fixed part of an MCUboot image's header. */
export type McubootHeader = {
  readonly loadAddress: number
  readonly headerSize: number
  /** Bytes of the protected TLV area, its own header included; 0 if there is none. */
  readonly protectedSize: number
  /** Bytes of the payload, between header and TLVs. */
  readonly imageSize: number
  readonly flags: number
  /** As imgtool writes it: major.minor.revision+build. */
  readonly version: string
}

/** An MCUboot image whose hash of itself is right. Nothing is known yet about who signed it. */
export type McubootImage = {
  readonly header: McubootHeader
  /** Hashes of header, payload and protected TLVs: all that the image's signature covers. */
  readonly digests: ImageDigests
  /** The hash that the image carries and its signature is made over. */
  readonly hash: HashAlgorithm
  /** Bytes that the hashes cover. */
  readonly coveredBytes: number
  readonly tlvs: readonly McubootTlv[]
  readonly securityCounter: number | undefined
}

/** The first four bytes of an image. */
export const MCUBOOT_MAGIC = 0x96f3b83d
export const MCUBOOT_HEADER_BYTES = 32

const PROTECTED_MAGIC = 0x6908
const UNPROTECTED_MAGIC = 0x6907
const AREA_HEADER_BYTES = 4
const ENCRYPTED_FLAGS = 0x04 | 0x08
const HASH_TLVS: ReadonlyMap<number, HashAlgorithm> = new Map([
  [TLV.sha256, "sha256"],
  [TLV.sha384, "sha384"],
  [TLV.sha512, "sha512"],
])

/** Whether the bytes begin like an MCUboot image. */
export function isMcuboot(first: Uint8Array): boolean {
  return first.length >= 4 && viewOf(first).getUint32(0, true) === MCUBOOT_MAGIC
}

/**
 * Reads an image, hashing it on the way, and checks everything that needs no key: structure, lengths, hash, padding.
 *
 * @param first The first 32 bytes, which were read to recognise the format.
 * @param algorithms Which hashes the image may carry: all that it is not known to lack.
 * @throws a named child of {@link ImageError} for each cause
 */
export async function readMcubootImage(
  reader: ImageReader,
  first: Uint8Array,
  algorithms: readonly HashAlgorithm[] = ["sha256", "sha384", "sha512"],
): Promise<McubootImage> {
  const header = parseHeader(first)
  const hashes = new DigestSet(algorithms)
  hashes.update(first)
  const hashed = (part: Uint8Array): void => hashes.update(part)
  await reader.pass(header.headerSize - MCUBOOT_HEADER_BYTES, "the header", hashed)
  await reader.pass(header.imageSize, "the payload", hashed)

  const protectedArea = await takeProtectedArea(reader, header)
  hashes.update(protectedArea)
  const protectedOffset = header.headerSize + header.imageSize
  const unprotectedOffset = protectedOffset + protectedArea.length
  const unprotectedArea = await takeArea(reader, UNPROTECTED_MAGIC, "TLV area")
  await assertOnlyPadding(reader)

  const tlvs = [
    ...readTlvArea(protectedArea, protectedOffset, "protected"),
    ...readTlvArea(unprotectedArea, unprotectedOffset, "unprotected"),
  ]
  const digests = hashes.digests()
  const hash = assertHash(tlvs, digests)
  const counter = tlvs.find(({ type }) => type === TLV.securityCounter)
  return {
    header,
    digests,
    hash,
    coveredBytes: unprotectedOffset,
    tlvs,
    securityCounter: counter === undefined ? undefined : viewOf(counter.value).getUint32(0, true),
  }
}

/**
 * Which hash an image at hand carries, read ahead so that only that one is computed. Decides nothing: if it cannot be told, or
 * the file changes afterwards, the reading itself finds out.
 */
export async function peekMcubootHash(source: ImageSource): Promise<HashAlgorithm | undefined> {
  try {
    const first = await source.read(0, MCUBOOT_HEADER_BYTES)
    const { headerSize, imageSize, protectedSize } = parseHeader(first)
    const offset = headerSize + imageSize + protectedSize
    const area = await source.read(offset, Math.min(0xffff, source.size - offset))
    const size = viewOf(area).getUint16(2, true)
    const tlvs = readTlvArea(area.subarray(0, size), offset, "unprotected")
    return tlvs.map(({ type }) => HASH_TLVS.get(type)).find((hash) => hash !== undefined)
  } catch {
    return undefined
  }
}

function parseHeader(first: Uint8Array): McubootHeader {
  if (first.length < MCUBOOT_HEADER_BYTES) {
    throw new ImageTruncatedError({ what: "the header", needed: MCUBOOT_HEADER_BYTES, left: first.length })
  }
  const view = viewOf(first)
  if (!isMcuboot(first)) refuse("magic", hex(MCUBOOT_MAGIC), hex(view.getUint32(0, true)))
  const header = {
    loadAddress: view.getUint32(4, true),
    headerSize: view.getUint16(8, true),
    protectedSize: view.getUint16(10, true),
    imageSize: view.getUint32(12, true),
    flags: view.getUint32(16, true),
    version: `${view.getUint8(20)}.${view.getUint8(21)}.${view.getUint16(22, true)}+${view.getUint32(24, true)}`,
  }
  if (header.headerSize < MCUBOOT_HEADER_BYTES) {
    refuse("header size", `at least ${MCUBOOT_HEADER_BYTES}`, String(header.headerSize))
  }
  if (header.imageSize === 0) refuse("image size", "above 0", "0")
  if (header.protectedSize !== 0 && header.protectedSize < AREA_HEADER_BYTES) {
    refuse("protected TLV size", `0 or at least ${AREA_HEADER_BYTES}`, String(header.protectedSize))
  }
  if ((header.flags & ENCRYPTED_FLAGS) !== 0) throw new ImageEncryptedError()
  return header
}

/** The protected area whole; the header must say how long it is, because the hash covers both. */
async function takeProtectedArea(reader: ImageReader, { protectedSize }: McubootHeader): Promise<Uint8Array> {
  if (protectedSize === 0) return new Uint8Array(0)
  const area = await takeArea(reader, PROTECTED_MAGIC, "protected TLV area")
  if (area.length !== protectedSize) {
    refuse("protected TLV area's size", `${protectedSize}, as in the header`, String(area.length))
  }
  return area
}

/** A TLV area whole, its header of magic and size included. */
async function takeArea(reader: ImageReader, magic: number, what: string): Promise<Uint8Array> {
  const info = await reader.take(AREA_HEADER_BYTES, `the ${what}`)
  const view = viewOf(info)
  if (view.getUint16(0, true) !== magic) refuse(`${what}'s magic`, hex(magic), hex(view.getUint16(0, true)))
  const size = view.getUint16(2, true)
  if (size < AREA_HEADER_BYTES) refuse(`${what}'s size`, `at least ${AREA_HEADER_BYTES}`, String(size))
  const rest = await reader.take(size - AREA_HEADER_BYTES, `the ${what}`)
  const area = new Uint8Array(size)
  area.set(info)
  area.set(rest, AREA_HEADER_BYTES)
  return area
}

async function assertOnlyPadding(reader: ImageReader): Promise<void> {
  const padding = new SlotPadding(reader.position)
  await reader.passRest((part) => padding.update(part))
  padding.finish()
}

function assertHash(tlvs: readonly McubootTlv[], digests: ImageDigests): HashAlgorithm {
  for (const { type, value } of tlvs) {
    const hash = HASH_TLVS.get(type)
    if (hash === undefined) continue
    const digest = digests[hash]
    if (digest === undefined || !equalBytes(value, digest)) {
      const found = digest === undefined ? "no such hash" : toHex(digest)
      throw new ImageDigestMismatchError({ what: `The image's ${hash}`, expected: toHex(value), found })
    }
    return hash
  }
  throw new ImageHashMissingError()
}

function refuse(field: string, expected: string, found: string): never {
  throw new McubootHeaderError({ field, expected, found })
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
