import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { InputPathError, ManifestCrowdedError } from "../../../client/errors/batch.ts"
import { ManifestRootError } from "../../../client/errors/merkle.ts"
import { IndexFileDamagedError, IndexFileMalformedError, ManifestPlaceError } from "../../../client/errors/mirror.ts"
import { BatchIndex, bytesSource, CONTESTED, NOT_INDEXED } from "../../../client/index.ts"
import { BatchIndexFile, buildBatchIndexFile } from "../../../client/node/batchIndexFile.ts"
import { DEPLOYMENT, hashAt, hashesFrom, makeBatch } from "../ledger/replica/manifests.ts"

describe("BatchIndexFile", () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetroot-index-"))
  const path = join(folder, "fleet.index")
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  // Two batches hold devices 20000 to 20009; another manufacturer copied 100 devices.
  const made = [
    makeBatch({ manufacturerId: 1, series: 1 }, hashesFrom(0, 20_010)),
    makeBatch({ manufacturerId: 1, series: 2 }, hashesFrom(20_000, 3000)),
    makeBatch({ manufacturerId: 2, series: 1, registeredAt: 5 }, hashesFrom(100, 100)),
    makeBatch({ manufacturerId: 3, series: 1 }, hashesFrom(90_000, 1)),
  ]
  const batches = made.map(({ batch, manifest }) => ({ batch, source: bytesSource(manifest) }))
  const devices = 23_111
  let memory: BatchIndex

  beforeAll(async () => {
    memory = new BatchIndex({ deployment: DEPLOYMENT })
    for (const { batch, source } of batches) await memory.add(source, batch)
    const progress: number[] = []
    expect(
      await buildBatchIndexFile({ path, deployment: DEPLOYMENT, batches, onProgress: (done) => progress.push(done) }),
    ).toEqual({ devices })
    expect(progress.at(-1)).toBe(devices)
  })

  it("answers as the index in memory", () => {
    using file = BatchIndexFile.open(path, DEPLOYMENT)
    expect(file.devices).toBe(devices)
    expect([...file.batches()]).toEqual([...memory.batches()])
    for (let device = 0; device < 24_000; device += 3) {
      const hash = hashAt(device)
      expect(file.lookup(hash)).toBe(memory.lookup(hash))
      expect(file.lookup(hash, 1)).toBe(memory.lookup(hash, 1))
      expect(file.claims(hash)).toEqual(memory.claims(hash))
    }
    expect(file.lookup(hashAt(150))).toBe(CONTESTED)
    expect(file.lookup(hashAt(95_000))).toBe(NOT_INDEXED)
    expect(file.batchOf(file.lookup(hashAt(90_000)))).toMatchObject({ manufacturerId: 3 })
  })

  it("takes a little over 12 bytes a device, for its owner only, and leaves nothing else behind", () => {
    expect(statSync(path).size / devices).toBeLessThan(12.2)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(["fleet.index"])
  })

  it("writes nothing when a manifest is wrong", async () => {
    const [first, second] = batches as [(typeof batches)[0], (typeof batches)[0]]
    const changed = made[1]!.manifest.slice()
    changed[changed.length - 1]! ^= 1
    const copies = makeBatch({ manufacturerId: 1, series: 9 }, Array(5000).fill(hashAt(3)))
    for (const [wrong, error] of [
      [[first, { batch: second.batch, source: bytesSource(changed) }], ManifestRootError],
      [[first, { batch: second.batch, source: first.source }], ManifestPlaceError],
      [[first, { batch: copies.batch, source: bytesSource(copies.manifest) }], ManifestCrowdedError],
    ] as const) {
      const other = join(folder, "other.index")
      await expect(buildBatchIndexFile({ path: other, deployment: DEPLOYMENT, batches: wrong })).rejects.toThrow(error)
      expect(readdirSync(folder)).toEqual(["fleet.index"])
    }
  })

  it("finds out damage, when it is opened or when it is read", () => {
    const bytes = readFileSync(path)
    const damaged = join(folder, "damaged")
    const found = new Set<string>()
    for (const at of [
      0,
      5,
      10,
      20,
      40,
      70,
      74,
      80,
      84,
      90,
      5000,
      200_000,
      277_400,
      bytes.length - 200,
      bytes.length - 1,
    ]) {
      writeFileSync(
        damaged,
        bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte)),
      )
      const act = (): void => {
        using file = BatchIndexFile.open(damaged, DEPLOYMENT)
        for (let device = 0; device < 23_000; device += 7) file.lookup(hashAt(device))
      }
      let thrown: unknown
      try {
        act()
      } catch (error) {
        thrown = error
      }
      expect([IndexFileDamagedError, IndexFileMalformedError]).toContain((thrown as Error | undefined)?.constructor)
      found.add((thrown as Error).name)
    }
    expect(found.size).toBe(2)
    rmSync(damaged)
  })

  it("refuses what is cut short, another registry's, or not there", () => {
    const cut = join(folder, "cut")
    writeFileSync(cut, readFileSync(path))
    truncateSync(cut, 200_000)
    expect(() => BatchIndexFile.open(cut, DEPLOYMENT)).toThrow(IndexFileMalformedError)
    truncateSync(cut, 3)
    expect(() => BatchIndexFile.open(cut, DEPLOYMENT)).toThrow(IndexFileMalformedError)
    expect(() => BatchIndexFile.open(path, { ...DEPLOYMENT, chainId: 6 })).toThrow(IndexFileMalformedError)
    expect(() => BatchIndexFile.open(join(folder, "nowhere"), DEPLOYMENT)).toThrow(InputPathError)
    rmSync(cut)
  })

  it("may be of no batch at all", async () => {
    const none = join(folder, "none")
    await buildBatchIndexFile({ path: none, deployment: DEPLOYMENT, batches: [] })
    using file = BatchIndexFile.open(none, DEPLOYMENT)
    expect(file.lookup(hashAt(1))).toBe(NOT_INDEXED)
  })
})
