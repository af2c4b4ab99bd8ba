import { equalBytes, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import {
  ManifestLengthError,
  ManifestMagicError,
  ManifestReadError,
  ManifestReservedError,
  ManifestRootError,
  ManifestVersionError,
  PlaceFieldError,
} from "../errors/merkle.ts"
import { HASH_BYTES, MAX_TREE_SIZE } from "./limits.ts"
import type { MerkleTree, TreeSection } from "./merkleTree.ts"
import { MAX_TIME, assertBytes, assertPlace, assertUint } from "./place.ts"
import type { BatchPlace } from "./place.ts"
import { MerkleTreeBuilder } from "./treeBuilder.ts"

/** What the credential hashes of a batch are made of. */
export type CredentialKind = "x509" | "rawPublicKey"

/** All that a manifest says besides the credential hashes. Only the root is vouched for, by the ledger. */
export type ManifestHeader = BatchPlace & {
  kind: CredentialKind
  /** Number of credentials, 1..2^32-1. */
  size: number
  /** The latest not-after of the credentials, in Unix seconds, 1..2^40-1. */
  notAfter: number
  root: Hex
  /** Key id of the issuer key that the batch names. */
  issuerKeyId: Hex
}

/** Random access to the bytes of a manifest: a file, an HTTP resource with ranges, or memory. */
export type ManifestSource = {
  /** Bytes in all. */
  readonly size: number
  /** Exactly the `length` bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>
}

export type ReadManifestOptions = {
  /** The root that the ledger shows, in lower case. Without it the hashes are only checked against the header's own root. */
  root?: Hex
  /** Called now and then with the credentials read so far. */
  onProgress?: (done: number, size: number) => void
  /**
   * Called with each slice that is hashed, to index a batch in the same pass. What was taken from it counts only once
   * `readManifest` has succeeded: before that nothing is known about it.
   */
  onSlice?: (slice: ManifestSlice) => void | Promise<void>
}

/** Bytes before the first credential hash. */
export const MANIFEST_HEADER_BYTES = 128

const MAGIC = Uint8Array.of(0x46, 0x52, 0x4d, 0x46) // "FRMF"
const VERSION = 1
const KINDS: readonly CredentialKind[] = ["x509", "rawPublicKey"] // 1, 2
const RESERVED = [6, 7, 120, 121, 122, 123, 124, 125, 126, 127]
const HASHES_PER_READ = 32_768
const KEPT_LEVEL = 8

/**
 * The 128 bytes before the credential hashes: docs/formats.md, "Manifest".
 *
 * @throws {@link PlaceFieldError}
 */
export function encodeManifestHeader(header: ManifestHeader): Uint8Array {
  assertPlace(header)
  assertUint(header.size, 1, MAX_TREE_SIZE, "size")
  assertUint(header.notAfter, 1, MAX_TIME, "notAfter")
  const kind = KINDS.indexOf(header.kind)
  if (kind < 0) {
    throw new PlaceFieldError({ field: "kind", value: header.kind, allowed: KINDS.join(" or ") })
  }

  const bytes = new Uint8Array(MANIFEST_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC, 0)
  view.setUint8(4, VERSION)
  view.setUint8(5, kind + 1)
  view.setBigUint64(8, header.chainId)
  bytes.set(assertBytes(header.registry, 20, "registry"), 16)
  view.setUint32(36, header.manufacturerId)
  view.setUint32(40, header.series)
  view.setUint32(44, header.size)
  view.setBigUint64(48, BigInt(header.notAfter))
  bytes.set(assertBytes(header.root, HASH_BYTES, "root"), 56)
  bytes.set(assertBytes(header.issuerKeyId, HASH_BYTES, "issuerKeyId"), 88)
  return bytes
}

/**
 * Reads the header from the first 128 bytes; what follows is not looked at.
 *
 * @throws {@link ManifestLengthError} {@link ManifestMagicError} {@link ManifestVersionError}
 *   {@link ManifestReservedError} {@link PlaceFieldError}
 */
export function decodeManifestHeader(bytes: Uint8Array): ManifestHeader {
  const magic = bytes.subarray(0, 4)
  if (!equalBytes(magic, MAGIC)) throw new ManifestMagicError({ found: toHex(magic) })
  if (bytes.length < MANIFEST_HEADER_BYTES) {
    throw new ManifestLengthError({ expected: MANIFEST_HEADER_BYTES, found: bytes.length })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, MANIFEST_HEADER_BYTES)
  if (view.getUint8(4) !== VERSION) throw new ManifestVersionError({ found: view.getUint8(4) })
  for (const offset of RESERVED) if (view.getUint8(offset) !== 0) throw new ManifestReservedError({ offset })
  const kind = KINDS[view.getUint8(5) - 1]
  if (kind === undefined) {
    throw new PlaceFieldError({ field: "kind", value: String(view.getUint8(5)), allowed: "1 (X.509) or 2 (raw key)" })
  }
  const notAfter = view.getBigUint64(48)
  if (notAfter > BigInt(MAX_TIME)) {
    throw new PlaceFieldError({ field: "notAfter", value: String(notAfter), allowed: `1 to ${MAX_TIME}` })
  }

  const header: ManifestHeader = {
    kind,
    chainId: view.getBigUint64(8),
    registry: toHex(bytes.subarray(16, 36)),
    manufacturerId: view.getUint32(36),
    series: view.getUint32(40),
    size: view.getUint32(44),
    notAfter: Number(notAfter),
    root: toHex(bytes.subarray(56, 88)),
    issuerKeyId: toHex(bytes.subarray(88, 120)),
  }
  assertPlace(header)
  assertUint(header.size, 1, MAX_TREE_SIZE, "size")
  assertUint(header.notAfter, 1, MAX_TIME, "notAfter")
  return header
}

/** Bytes of a whole manifest for a batch of `size`. */
export function manifestBytes(size: number): number {
  return MANIFEST_HEADER_BYTES + size * HASH_BYTES
}

/** A manifest in memory. */
export function bytesSource(bytes: Uint8Array): ManifestSource {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }
}

/**
 * Reads the header and checks the length, not the hashes.
 *
 * @throws as {@link decodeManifestHeader}. {@link ManifestLengthError} {@link ManifestReadError}
 */
export async function readManifestHeader(source: ManifestSource): Promise<ManifestHeader> {
  const header = decodeManifestHeader(await readExactly(source, 0, Math.min(MANIFEST_HEADER_BYTES, source.size)))
  const expected = manifestBytes(header.size)
  if (source.size !== expected) throw new ManifestLengthError({ expected, found: source.size })
  return header
}

/**
 * Reads a manifest from front to back in slices of 1 MiB, and refuses it unless its hashes lead to its root, and that
 * is the root expected. What it keeps is about 64 bytes for every 256 devices, enough to make receipts.
 *
 * @throws as {@link readManifestHeader}. {@link ManifestRootError}
 */
export async function readManifest(source: ManifestSource, options: ReadManifestOptions = {}): Promise<Manifest> {
  const header = await readManifestHeader(source)
  const expected = options.root ?? header.root
  if (expected !== header.root) throw new ManifestRootError({ expected, found: header.root })

  const builder = new MerkleTreeBuilder({ keepLevel: KEPT_LEVEL })
  for await (const slice of slices(source, header.size)) {
    builder.appendMany(slice.credentialHashes)
    await options.onSlice?.(slice)
    options.onProgress?.(builder.size, header.size)
  }
  const found = toHex(builder.root())
  if (found !== header.root) throw new ManifestRootError({ expected: header.root, found })
  return new Manifest({ header, source, tree: builder.tree() })
}

/** Neighbouring credential hashes, one behind the other; `from` is the index of the first. */
export type ManifestSlice = { from: number; credentialHashes: Uint8Array }

/** A manifest whose hashes led to its root when it was read. */
export class Manifest {
  readonly header: ManifestHeader
  readonly #source: ManifestSource
  readonly #tree: MerkleTree

  constructor({ header, source, tree }: { header: ManifestHeader; source: ManifestSource; tree: MerkleTree }) {
    this.header = header
    this.#source = source
    this.#tree = tree
  }

  /**
   * The credential hash at `index`, checked against the root like a proof.
   *
   * @throws {@link IndexOutOfRangeError} {@link ManifestReadError} {@link RootMismatchError}
   */
  async credentialHash(index: number): Promise<Uint8Array> {
    return (await this.entry(index)).credentialHash
  }

  /**
   * The proof for `index`, made from the up to 256 credential hashes around it. They are read again and checked, so a
   * source that changed since is found out.
   *
   * @throws {@link IndexOutOfRangeError} {@link ManifestReadError} {@link RootMismatchError}
   */
  async inclusionProof(index: number): Promise<Uint8Array[]> {
    return (await this.entry(index)).proof
  }

  /** The credential hash at `index` and the proof for it, which cost no more than either. Throws as they do. */
  async entry(index: number): Promise<{ credentialHash: Uint8Array; proof: Uint8Array[] }> {
    const section = this.#tree.sectionOf(index)
    const credentialHashes = await readHashes(this.#source, section)
    const proof = this.#tree.inclusionProof(index, credentialHashes)
    const at = (index - section.from) * HASH_BYTES
    return { credentialHash: credentialHashes.slice(at, at + HASH_BYTES), proof }
  }

  /** All credential hashes in order, as the source has them now: only `readManifest` checks them, so index from its `onSlice`. */
  slices(): AsyncGenerator<ManifestSlice> {
    return slices(this.#source, this.header.size)
  }
}

async function* slices(source: ManifestSource, size: number): AsyncGenerator<ManifestSlice> {
  for (let from = 0; from < size; from += HASHES_PER_READ) {
    const count = Math.min(HASHES_PER_READ, size - from)
    yield { from, credentialHashes: await readHashes(source, { from, count }) }
  }
}

function readHashes(source: ManifestSource, { from, count }: TreeSection): Promise<Uint8Array> {
  return readExactly(source, manifestBytes(from), count * HASH_BYTES)
}

async function readExactly(source: ManifestSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length)
  if (bytes.length !== length) throw new ManifestReadError({ offset, expected: length, found: bytes.length })
  return bytes
}
