import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  MANIFEST_HEADER_BYTES,
  bytesSource,
  decodeManifestHeader,
  encodeManifestHeader,
  manifestBytes,
  readManifest,
  readManifestHeader,
} from "../../../client/merkle/manifest.ts"
import type { ManifestHeader, ManifestSource } from "../../../client/merkle/manifest.ts"
import { merkleRoot, verifyInclusion } from "../../../client/merkle/tree.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import {
  IndexOutOfRangeError,
  ManifestLengthError,
  ManifestMagicError,
  ManifestReadError,
  ManifestReservedError,
  ManifestRootError,
  ManifestVersionError,
  MerkleError,
  PlaceFieldError,
  RootMismatchError,
} from "../../../client/errors/merkle.ts"
import { NaiveTree, credentialHashes } from "./naiveTree.ts"

function headerOf(hashes: readonly Uint8Array[]): ManifestHeader {
  return {
    kind: "x509",
    chainId: 31337n,
    registry: `0x${"a1".repeat(20)}`,
    manufacturerId: 2,
    series: 0x8000_0001,
    size: hashes.length,
    notAfter: 2_000_000_000,
    root: toHex(merkleRoot(hashes)),
    issuerKeyId: `0x${"c3".repeat(32)}`,
  }
}

const hashes = credentialHashes(700)
const header = headerOf(hashes)
const file = concatBytes(encodeManifestHeader(header), ...hashes)

/** The file with `change` made to its bytes. */
function changed(change: (bytes: Uint8Array) => void): ManifestSource {
  const bytes = file.slice()
  change(bytes)
  return bytesSource(bytes)
}

describe("encodeManifestHeader and decodeManifestHeader", () => {
  it("give back every field", () => {
    const bytes = encodeManifestHeader(header)
    expect(bytes).toHaveLength(MANIFEST_HEADER_BYTES)
    expect(decodeManifestHeader(bytes)).toEqual(header)
    const raw = { ...header, kind: "rawPublicKey" as const }
    expect(decodeManifestHeader(encodeManifestHeader(raw))).toEqual(raw)
  })

  it("give back the largest values, and read from the middle of a larger array", () => {
    const largest = {
      ...header,
      chainId: 2n ** 64n - 1n,
      manufacturerId: 2 ** 32 - 1,
      series: 2 ** 32 - 1,
      size: 2 ** 32 - 1,
      notAfter: 2 ** 40 - 1,
    }
    const bytes = concatBytes(new Uint8Array(3), encodeManifestHeader(largest), new Uint8Array(5))
    expect(decodeManifestHeader(bytes.subarray(3))).toEqual(largest)
    expect(decodeManifestHeader(Buffer.from(bytes).subarray(3))).toEqual(largest)
  })

  it.each<[string, Partial<ManifestHeader>]>([
    ["chainId", { chainId: 0n }],
    ["chainId", { chainId: 2n ** 64n }],
    ["chainId", { chainId: 1 as unknown as bigint }],
    ["registry", { registry: "0x00" }],
    ["registry", { registry: `0x${"A1".repeat(20)}` }],
    ["registry", { registry: 7 as unknown as "0x" }],
    ["manufacturerId", { manufacturerId: 0 }],
    ["manufacturerId", { manufacturerId: 2 ** 32 }],
    ["series", { series: 0 }],
    ["series", { series: 1.5 }],
    ["size", { size: 0 }],
    ["size", { size: 2 ** 32 }],
    ["notAfter", { notAfter: 0 }],
    ["notAfter", { notAfter: 2 ** 40 }],
    ["root", { root: "0x" }],
    ["issuerKeyId", { issuerKeyId: `0x${"zz".repeat(32)}` }],
    ["kind", { kind: "pgp" as unknown as "x509" }],
  ])("refuse to write a bad %s", (field, bad) => {
    expect(() => encodeManifestHeader({ ...header, ...bad })).toThrow(expect.objectContaining({ field }))
    expect(() => encodeManifestHeader({ ...header, ...bad })).toThrow(PlaceFieldError)
  })

  it.each<[string, number, number, new (...parameters: never[]) => Error]>([
    ["another magic", 0, 0x47, ManifestMagicError],
    ["version 0", 4, 0, ManifestVersionError],
    ["version 2", 4, 2, ManifestVersionError],
    ["kind 0", 5, 0, PlaceFieldError],
    ["kind 3", 5, 3, PlaceFieldError],
    ["a reserved byte in front", 6, 1, ManifestReservedError],
    ["a reserved byte in front", 7, 0x80, ManifestReservedError],
    ["a reserved byte at the end", 120, 1, ManifestReservedError],
    ["a reserved byte at the end", 127, 1, ManifestReservedError],
    ["a not-after beyond 40 bits", 48, 1, PlaceFieldError],
    ["another size", 47, 0, ManifestLengthError],
  ])("refuse %s (byte %i := %i)", async (_, offset, value, error) => {
    const source = changed((bytes) => (bytes[offset] = value))
    await expect(readManifestHeader(source)).rejects.toThrow(error)
  })

  it("refuse a field of zeros", () => {
    for (const [from, to] of [
      [8, 16],
      [36, 40],
      [40, 44],
      [44, 48],
      [48, 56],
    ] as const) {
      const bytes = encodeManifestHeader(header)
      bytes.fill(0, from, to)
      expect(() => decodeManifestHeader(bytes)).toThrow(PlaceFieldError)
    }
  })

  it("never crash on noise", () => {
    const magic = fromHex("0x46524d460101")
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 140 }), fc.boolean(), (noise, withMagic) => {
        const bytes = withMagic ? concatBytes(magic, noise) : noise
        try {
          const decoded = decodeManifestHeader(bytes)
          expect(encodeManifestHeader(decoded)).toEqual(bytes.slice(0, MANIFEST_HEADER_BYTES))
        } catch (error) {
          if (!(error instanceof MerkleError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe("readManifest", () => {
  it("gives proofs and credential hashes out of a file whose hashes lead to its root", async () => {
    const manifest = await readManifest(bytesSource(file), { root: header.root })
    expect(manifest.header).toEqual(header)
    const naive = new NaiveTree(hashes)
    for (const index of [0, 1, 255, 256, 511, 512, 698, 699]) {
      const proof = await manifest.inclusionProof(index)
      expect(proof).toEqual(naive.path(index))
      expect(await manifest.credentialHash(index)).toEqual(hashes[index])
      const root = fromHex(header.root)
      expect(verifyInclusion({ credentialHash: hashes[index]!, index, size: 700, proof, root })).toBe(true)
    }
    await expect(manifest.inclusionProof(700)).rejects.toThrow(IndexOutOfRangeError)
    await expect(manifest.credentialHash(-1)).rejects.toThrow(IndexOutOfRangeError)
  })

  it.each([1, 2, 255, 256, 257, 32_767, 32_768, 32_769])("reads a batch of %i, telling how far it is", async (size) => {
    const some = credentialHashes(size, "progress")
    const source = bytesSource(concatBytes(encodeManifestHeader(headerOf(some)), ...some))
    const done: number[] = []
    const seen: number[] = []
    const manifest = await readManifest(source, {
      onProgress: (count) => done.push(count),
      onSlice: ({ from, credentialHashes: slice }) => void seen.push(from + slice.length / 32),
    })
    expect(done.at(-1)).toBe(size)
    expect(seen).toEqual(done)
    expect(await manifest.inclusionProof(size - 1)).toEqual(new NaiveTree(some).path(size - 1))

    const slices: Uint8Array[] = []
    for await (const { from, credentialHashes: slice } of manifest.slices()) {
      expect(from).toBe(slices.reduce((count, { length }) => count + length / 32, 0))
      slices.push(slice)
    }
    expect(toHex(concatBytes(...slices)) === toHex(concatBytes(...some))).toBe(true)
  })

  it("refuses a file with any one byte of a hash changed", async () => {
    for (let offset = MANIFEST_HEADER_BYTES; offset < file.length; offset += 997) {
      await expect(readManifest(changed((bytes) => (bytes[offset]! ^= 1)))).rejects.toThrow(ManifestRootError)
    }
  })

  it("refuses a file with two credentials swapped", async () => {
    const source = changed((bytes) => {
      const first = bytes.slice(128, 160)
      bytes.copyWithin(128, 160, 192)
      bytes.set(first, 160)
    })
    await expect(readManifest(source)).rejects.toThrow(ManifestRootError)
  })

  it("refuses another batch's file, by the root that the ledger shows", async () => {
    const other = credentialHashes(700, "other")
    const source = bytesSource(concatBytes(encodeManifestHeader(headerOf(other)), ...other))
    await expect(readManifest(source)).resolves.toBeDefined()
    await expect(readManifest(source, { root: header.root })).rejects.toThrow(ManifestRootError)
  })

  it("refuses a changed root in the header, though the hashes are right", async () => {
    await expect(readManifest(changed((bytes) => (bytes[56]! ^= 1)))).rejects.toThrow(ManifestRootError)
  })

  it("refuses a file cut anywhere, or with bytes behind", async () => {
    for (const length of [0, 3, 4, 127, 128, 129, 160, file.length - 32, file.length - 1]) {
      const error = length < 4 ? ManifestMagicError : ManifestLengthError
      await expect(readManifest(bytesSource(file.subarray(0, length)))).rejects.toThrow(error)
    }
    const longer = bytesSource(concatBytes(file, new Uint8Array(1)))
    await expect(readManifest(longer)).rejects.toThrow(
      new ManifestLengthError({ expected: file.length, found: file.length + 1 }),
    )
    expect(manifestBytes(700)).toBe(file.length)
  })

  it("refuses a source that gives fewer or more bytes than asked", async () => {
    for (const extra of [-1, 1]) {
      const source = { size: file.length, read: async (at: number, n: number) => file.slice(at, at + n + extra) }
      await expect(readManifest(source)).rejects.toThrow(ManifestReadError)
    }
  })

  it("finds out a source that changes after it was checked", async () => {
    const bytes = file.slice()
    const manifest = await readManifest(bytesSource(bytes))
    bytes[MANIFEST_HEADER_BYTES + 32 * 300]! ^= 1
    await expect(manifest.inclusionProof(299)).rejects.toThrow(RootMismatchError)
    await expect(manifest.credentialHash(300)).rejects.toThrow(RootMismatchError)
    await expect(manifest.inclusionProof(1)).resolves.toHaveLength(10)
  })

  it("passes on the source's own error", async () => {
    const source = { size: file.length, read: () => Promise.reject(new Error("disk")) }
    await expect(readManifest(source)).rejects.toThrow("disk")
  })
})
