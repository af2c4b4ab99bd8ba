import { beforeAll, describe, expect, it } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import { ManifestCrowdedError } from "../../../client/errors/batch.ts"
import { RootMismatchError } from "../../../client/errors/merkle.ts"
import { bytesSource, encodeManifestHeader, readManifest } from "../../../client/merkle/manifest.ts"
import type { Manifest } from "../../../client/merkle/manifest.ts"
import { receiptsFromManifest } from "../../../client/merkle/manifestReceipts.ts"
import type { ReceiptSource } from "../../../client/merkle/receiptSource.ts"
import { merkleRoot, verifyInclusion } from "../../../client/merkle/tree.ts"
import { hash } from "./naiveTree.ts"

const PLACE = { chainId: 5n, registry: `0x${"42".repeat(20)}` as const, manufacturerId: 3, series: 4 }

function manifestOf(hashes: readonly Uint8Array[]): Uint8Array {
  const root = toHex(merkleRoot(hashes))
  const issuerKeyId: Hex = `0x${"77".repeat(32)}`
  const header = encodeManifestHeader({ ...PLACE, kind: "x509", size: hashes.length, notAfter: 9, root, issuerKeyId })
  return new Uint8Array(Buffer.concat([header, ...hashes]))
}

const hashAt = (index: number): Uint8Array => hash(Uint8Array.of(index & 0xff, (index >> 8) & 0xff, index >> 16))

describe("receiptsFromManifest", () => {
  const size = 70_001
  let hashes: Uint8Array[]
  let bytes: Uint8Array
  let manifest: Manifest
  let receipts: ReceiptSource

  beforeAll(async () => {
    hashes = Array.from({ length: size }, (_, i) => hashAt(i))
    bytes = manifestOf(hashes)
    manifest = await readManifest(bytesSource(bytes))
    receipts = await receiptsFromManifest(manifest)
  })

  it.each([0, 1, 255, 256, 32_767, 32_768, 65_536, 70_000])("makes the receipt for index %i", async (index) => {
    const receipt = (await receipts.receiptOf(toHex(hashes[index]!)))!
    expect(receipt).toMatchObject({ ...PLACE, index, size })
    expect(verifyInclusion({ ...receipt, credentialHash: hashes[index]!, root: merkleRoot(hashes) })).toBe(true)
  })

  it("finds every credential, in any case of letters", async () => {
    for (let index = 0; index < size; index += 211) {
      expect((await receipts.receiptOf(toHex(hashes[index]!)))?.index).toBe(index)
    }
    const upper = `0x${toHex(hashes[9]!).slice(2).toUpperCase()}` as const
    expect((await receipts.receiptOf(upper))?.index).toBe(9)
  })

  it("has nothing for others, nor for what is no hash", async () => {
    for (let i = 0; i < 500; i++) expect(await receipts.receiptOf(toHex(hashAt(size + i)))).toBeUndefined()
    for (const odd of ["0x", "0x12", `0x${"zz".repeat(32)}`, `0x${"00".repeat(33)}`] as const) {
      expect(await receipts.receiptOf(odd)).toBeUndefined()
    }
  })

  it("makes no receipt from a source that changed since", async () => {
    const changing = bytes.slice()
    const source = await receiptsFromManifest(await readManifest(bytesSource(changing)))
    changing.set(hashAt(999_999), changing.length - 32)
    await expect(source.receiptOf(toHex(hashes[size - 1]!))).rejects.toBeInstanceOf(RootMismatchError)
    await expect(source.receiptOf(toHex(hashAt(999_999)))).resolves.toBeUndefined()
  })

  it("serves a batch of one", async () => {
    const one = await receiptsFromManifest(await readManifest(bytesSource(manifestOf([hashAt(1)]))))
    expect(await one.receiptOf(toHex(hashAt(1)))).toEqual({ ...PLACE, size: 1, index: 0, proof: [] })
  })

  it("takes a few repeated entries, and answers with the first", async () => {
    const repeated = await readManifest(bytesSource(manifestOf([hashAt(1), hashAt(2), hashAt(2), hashAt(2)])))
    expect((await (await receiptsFromManifest(repeated)).receiptOf(toHex(hashAt(2))))?.index).toBe(1)
  })

  it("refuses a manifest that repeats one entry for ever, soon", async () => {
    const repeated = manifestOf(Array.from({ length: 100_000 }, () => hashAt(1)))
    const source = await readManifest(bytesSource(repeated))
    await expect(receiptsFromManifest(source)).rejects.toBeInstanceOf(ManifestCrowdedError)
  })
})
