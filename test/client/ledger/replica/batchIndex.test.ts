import { describe, expect, it } from "vitest"
import { toHex } from "../../../../client/crypto/hex.ts"
import { ManifestCrowdedError } from "../../../../client/errors/batch.ts"
import {
  HashLengthError,
  ManifestLengthError,
  ManifestReadError,
  ManifestRootError,
  RootMismatchError,
} from "../../../../client/errors/merkle.ts"
import { BatchIndexFullError, ManifestPlaceError } from "../../../../client/errors/mirror.ts"
import { BatchIndex } from "../../../../client/ledger/replica/batchIndex.ts"
import { CONTESTED, NOT_INDEXED, indexOfFound } from "../../../../client/ledger/replica/claims.ts"
import { bytesSource } from "../../../../client/merkle/manifest.ts"
import { verifyInclusion } from "../../../../client/merkle/tree.ts"
import { DEPLOYMENT, hashAt, hashesFrom, makeBatch } from "./manifests.ts"

const SEED = new Uint8Array(32).fill(7)
const newIndex = (): BatchIndex => new BatchIndex({ deployment: DEPLOYMENT, seed: SEED })

async function indexed(...batches: ReturnType<typeof makeBatch>[]): Promise<BatchIndex> {
  const index = newIndex()
  for (const { batch, manifest } of batches) await index.add(bytesSource(manifest), batch)
  return index
}

/** "manufacturer/series/index" of what a look-up says. */
function placeOf(index: BatchIndex, hash: Uint8Array, manufacturerId?: number): string | number {
  const found = index.lookup(hash, manufacturerId)
  const batch = index.batchOf(found)
  return batch === undefined ? found : `${batch.manufacturerId}/${batch.series}/${indexOfFound(found)}`
}

describe("BatchIndex.lookup", () => {
  it("finds every credential of many batches, and no other", async () => {
    const batches = Array.from({ length: 40 }, (_, i) =>
      makeBatch({ manufacturerId: 1 + (i % 3), series: 1 + i }, hashesFrom(i * 1000, 1 + i * 20)),
    )
    const index = await indexed(...batches)

    batches.forEach(({ batch }, i) => {
      for (let at = 0; at < batch.size; at += 7) {
        expect(placeOf(index, hashAt(i * 1000 + at))).toBe(`${batch.manufacturerId}/${batch.series}/${at}`)
      }
      expect(placeOf(index, hashAt(i * 1000 + batch.size))).toBe(NOT_INDEXED)
    })
    expect(index.devices).toBe(batches.reduce((sum, { batch }) => sum + batch.size, 0))
    expect([...index.repeated()]).toEqual([])
  })

  it("takes at most 16 bytes a device, whether room was made or it grew", async () => {
    const one = await indexed(makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 40_000)))
    expect(one.bytes / one.devices).toBeLessThanOrEqual(16)
    const many = await indexed(
      ...Array.from({ length: 40 }, (_, i) =>
        makeBatch({ manufacturerId: 1, series: 1 + i }, hashesFrom(i * 1000, 1000)),
      ),
    )
    expect(many.bytes / many.devices).toBeLessThanOrEqual(16)
  })

  it("answers for one manufacturer where one is named", async () => {
    const index = await indexed(makeBatch({ manufacturerId: 2, series: 1 }, hashesFrom(0, 3)))
    expect(placeOf(index, hashAt(1), 2)).toBe("2/1/1")
    expect(placeOf(index, hashAt(1), 3)).toBe(NOT_INDEXED)
  })

  it("refuses what is no hash", () => {
    expect(() => newIndex().lookup(new Uint8Array(31))).toThrow(HashLengthError)
  })
})

describe("a credential that two batches hold", () => {
  it("counts where its manufacturer registered it first, in whatever order the manifests come", async () => {
    const early = makeBatch({ manufacturerId: 1, series: 9, registeredAt: 100 }, hashesFrom(0, 10))
    const late = makeBatch({ manufacturerId: 1, series: 3, registeredAt: 200 }, hashesFrom(5, 10))
    for (const batches of [
      [early, late],
      [late, early],
    ]) {
      const index = await indexed(...batches)
      expect(placeOf(index, hashAt(7))).toBe("1/9/7")
      expect(placeOf(index, hashAt(12))).toBe("1/3/7")
      expect([...index.repeated()]).toHaveLength(5)
      expect(index.claims(hashAt(7)).map(({ batch, index: at }) => [batch.series, at])).toEqual([
        [9, 7],
        [3, 2],
      ])
    }
  })

  it("is reported when it is added", async () => {
    const index = await indexed(makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 10)))
    const { batch, manifest } = makeBatch({ manufacturerId: 1, series: 2 }, hashesFrom(8, 10))
    expect(await index.add(bytesSource(manifest), batch)).toEqual({ devices: 10, repeated: 2 })
  })

  it("has no place if one manufacturer registered it twice in one second, or twice in one batch", async () => {
    const same = (series: number): ReturnType<typeof makeBatch> =>
      makeBatch({ manufacturerId: 1, series, registeredAt: 100 }, hashesFrom(0, 2))
    expect(placeOf(await indexed(same(1), same(2)), hashAt(0))).toBe(CONTESTED)
    const twice = makeBatch({ manufacturerId: 1, series: 1 }, [hashAt(0), hashAt(1), hashAt(0)])
    expect(placeOf(await indexed(twice), hashAt(0))).toBe(CONTESTED)
    expect(placeOf(await indexed(twice), hashAt(1))).toBe("1/1/1")
  })

  it("is taken from nobody by another manufacturer's copy", async () => {
    const own = makeBatch({ manufacturerId: 2, series: 1, registeredAt: 200 }, hashesFrom(0, 5))
    const copy = makeBatch({ manufacturerId: 1, series: 1, registeredAt: 100 }, hashesFrom(0, 5))
    const index = await indexed(own, copy)
    expect(placeOf(index, hashAt(3), 2)).toBe("2/1/3")
    expect(placeOf(index, hashAt(3), 1)).toBe("1/1/3")
    expect(placeOf(index, hashAt(3))).toBe(CONTESTED)
  })

  it("counts at its only place again once the other batch is forgotten", async () => {
    const index = await indexed(
      makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 5)),
      makeBatch({ manufacturerId: 1, series: 2 }, hashesFrom(0, 5)),
    )
    index.forget(1, 1)
    expect(placeOf(index, hashAt(3))).toBe("1/2/3")
    expect(index.devices).toBe(5)
  })

  it("makes a manifest that repeats it over and over refused", async () => {
    const index = await indexed(makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 5)))
    const { batch, manifest } = makeBatch({ manufacturerId: 1, series: 2 }, Array(5000).fill(hashAt(2)))
    await expect(index.add(bytesSource(manifest), batch)).rejects.toThrow(ManifestCrowdedError)
    expect(placeOf(index, hashAt(2))).toBe("1/1/2")
  })
})

describe("a mirror that serves something else", () => {
  const { batch, manifest } = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 70_000))
  const other = makeBatch({ manufacturerId: 1, series: 2 }, hashesFrom(0, 70_000))
  const shorter = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 69_999))
  const otherRoot = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(1, 70_000))
  const changed = (at: number): Uint8Array => {
    const bytes = manifest.slice()
    bytes[at]! ^= 1
    return bytes
  }

  it.each([
    ["one byte of the first hash changed", changed(128), ManifestRootError],
    ["one byte of the last hash changed", changed(manifest.length - 1), ManifestRootError],
    ["one byte of the header's root changed", changed(60), ManifestRootError],
    ["another chain's manifest", changed(15), ManifestPlaceError],
    ["another registry's manifest", changed(20), ManifestPlaceError],
    ["another batch's manifest", other.manifest, ManifestPlaceError],
    ["a manifest of another size", shorter.manifest, ManifestPlaceError],
    ["a manifest of another root", otherRoot.manifest, ManifestRootError],
    ["a manifest cut short", manifest.subarray(0, -1), ManifestLengthError],
    ["a manifest with something appended", new Uint8Array([...manifest, 0]), ManifestLengthError],
  ])("is refused: %s", async (_what, bytes, error) => {
    const index = await indexed(makeBatch({ manufacturerId: 7, series: 7 }, hashesFrom(65_000, 10)))
    const before = index.bytes

    await expect(index.add(bytesSource(bytes), batch)).rejects.toThrow(error)

    expect(placeOf(index, hashAt(0))).toBe(NOT_INDEXED)
    expect(placeOf(index, hashAt(65_005))).toBe("7/7/5")
    expect([...index.repeated()]).toEqual([])
    expect(index.devices).toBe(10)
    expect(index.bytes).toBeGreaterThanOrEqual(before)
    expect(await index.add(bytesSource(manifest), batch)).toEqual({ devices: 70_000, repeated: 10 })
    expect(placeOf(index, hashAt(69_999))).toBe("1/1/69999")
  })

  it("counts nothing of a manifest before all of it was read", async () => {
    const index = newIndex()
    const source = bytesSource(manifest)
    const seen: (string | number)[] = []
    const watched = {
      size: source.size,
      read: (offset: number, length: number): Promise<Uint8Array> => {
        seen.push(placeOf(index, hashAt(0)))
        return source.read(offset, length)
      },
    }
    const adding = index.add(watched, batch)
    const alsoAdding = index.add(bytesSource(manifest), batch)
    await Promise.all([adding, alsoAdding])
    expect(new Set(seen)).toEqual(new Set([NOT_INDEXED]))
    expect(index.devices).toBe(70_000)
  })

  it("is found out when it breaks off in the middle", async () => {
    const index = newIndex()
    const part = bytesSource(manifest.subarray(0, 1_500_000))
    const broken = { size: manifest.length, read: (offset: number, length: number) => part.read(offset, length) }
    await expect(index.add(broken, batch)).rejects.toThrow(ManifestReadError)
    expect(placeOf(index, hashAt(0))).toBe(NOT_INDEXED)
  })

  it("cannot fill the memory", async () => {
    const index = new BatchIndex({ deployment: DEPLOYMENT, maxDevices: 60_000 })
    await expect(index.add(bytesSource(manifest), batch)).rejects.toThrow(BatchIndexFullError)
    expect(index.bytes).toBeLessThan(10_000)
  })
})

describe("BatchIndex.receiptOf", () => {
  it("makes receipts over all batches", async () => {
    const batches = [1, 2, 3].map((series) =>
      makeBatch({ manufacturerId: 1, series }, hashesFrom(series * 1000, 300 * series)),
    )
    const index = await indexed(...batches)
    const { batch } = batches[2]!
    const receipt = (await index.receiptOf(toHex(hashAt(3777))))!
    expect(receipt).toMatchObject({ chainId: 5n, manufacturerId: 1, series: 3, index: 777, size: 900 })
    const root = Uint8Array.from(Buffer.from(batch.root.slice(2), "hex"))
    expect(verifyInclusion({ ...receipt, credentialHash: hashAt(3777), root })).toBe(true)
    expect(await index.receiptOf(toHex(hashAt(9)))).toBeUndefined()
    expect(await index.receiptOf("0x12")).toBeUndefined()
  })

  it("makes none from a source that changed", async () => {
    const { batch, manifest } = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 300))
    const index = newIndex()
    await index.add(bytesSource(manifest), batch)
    manifest[128 + 32 * 4]! ^= 1
    await expect(index.receiptOf(toHex(hashAt(5)))).rejects.toThrow(RootMismatchError)
  })
})

describe("a batch registered anew after a reorganisation", () => {
  it("takes the place of the former", async () => {
    const index = await indexed(makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 5)))
    const anew = makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(3, 5))
    expect(index.has(anew.batch)).toBe(false)
    await index.add(bytesSource(anew.manifest), anew.batch)
    expect(placeOf(index, hashAt(0))).toBe(NOT_INDEXED)
    expect(placeOf(index, hashAt(4))).toBe("1/1/1")
    expect(index.has(anew.batch)).toBe(true)
    expect([...index.batches()]).toHaveLength(1)
  })
})
