import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { ManifestShelf } from "../../gateway/manifestShelf.ts"
import { FakeFactory, MAKER, SERIES } from "./fakeFactory.ts"
import { paperHash, paperManifest } from "./paperManifest.ts"

const HASHES = [1, 2, 3, 4, 5].map(paperHash)
let factory: FakeFactory
let folder: string
let warned: string[]
let clock: number

beforeEach(async () => {
  factory = await FakeFactory.make(1)
  folder = mkdtempSync(join(tmpdir(), "fleetroot-shelf-"))
  warned = []
  clock = 0
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function shelfOf(...manifests: string[]): ManifestShelf {
  const warn = ({ error }: { error: Error }): void => void warned.push(error.name)
  return new ManifestShelf({ manifests, replica: factory.source, warn, now: () => clock })
}

function write(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

describe("ManifestShelf", () => {
  it("finds credentials of batches that are on the ledger, and no other", async () => {
    const { bytes, root } = paperManifest(SERIES + 1, HASHES)
    const shelf = shelfOf(write("one.manifest", bytes))
    expect(await shelf.refresh()).toBe(false)
    expect(shelf.health()).toEqual({ devices: 0, waiting: 1, faults: 0 })
    expect(await shelf.findPlace(HASHES[2]!)).toBeUndefined()

    factory.fleet.addBatch(MAKER, SERIES + 1, 5, { root })
    expect(await shelf.refresh()).toBe(true)
    const place = { manufacturerId: MAKER, series: SERIES + 1, index: 2, root }
    expect(await shelf.findPlace(HASHES[2]!)).toEqual(place)
    expect(await shelf.findPlace(HASHES[2]!, MAKER)).toEqual(place)
    expect(await shelf.findPlace(HASHES[2]!, 9)).toBeUndefined()
    expect(shelf.placesOf(HASHES[2]!, MAKER)).toEqual([place])
    expect(await shelf.findPlace(paperHash(77))).toBeUndefined()
    expect(shelf.health()).toEqual({ devices: 5, waiting: 0, faults: 0 })
    expect(await shelf.refresh()).toBe(false)
  })

  it("takes nothing of a manifest that leads to another root, and all of it when that is mended", async () => {
    const { bytes, root } = paperManifest(SERIES + 1, HASHES)
    factory.fleet.addBatch(MAKER, SERIES + 1, 5, { root })
    const wrong = new Uint8Array(bytes)
    wrong[wrong.length - 1]! ^= 1
    const path = write("one.manifest", wrong)
    const shelf = shelfOf(path, join(folder, "nowhere"))
    await shelf.refresh()
    await shelf.refresh()
    expect(warned).toEqual(["ManifestRootError", "ManifestUnreadableError"])
    expect(shelf.health()).toEqual({ devices: 0, waiting: 0, faults: 2 })
    expect(await shelf.findPlace(HASHES[0]!)).toBeUndefined()

    write("one.manifest", bytes)
    utimesSync(path, 1, 1)
    expect(await shelf.refresh()).toBe(true)
    expect(await shelf.findPlace(HASHES[0]!)).toMatchObject({ index: 0 })
    write("nowhere", paperManifest(SERIES + 2, HASHES.slice(0, 1)).bytes)
    await shelf.refresh()
    expect(shelf.health()).toEqual({ devices: 5, waiting: 1, faults: 0 })
  })

  it("reads the manifests of a folder, passes over what is none, and finds what comes later", async () => {
    const one = paperManifest(SERIES + 1, HASHES)
    const two = paperManifest(SERIES + 2, [paperHash(20)])
    for (const [more, { root }] of [one, two].entries()) {
      factory.fleet.addBatch(MAKER, SERIES + 1 + more, [5, 1][more]!, { root })
    }
    mkdirSync(join(folder, "deeper"))
    write("readme.txt", "no manifest")
    write("one.manifest", one.bytes)
    const shelf = shelfOf(folder)
    await shelf.refresh()
    expect(shelf.health()).toEqual({ devices: 5, waiting: 0, faults: 0 })
    write("two.manifest", two.bytes)
    expect(await shelf.refresh()).toBe(true)
    expect(await shelf.findPlace(paperHash(20))).toMatchObject({ series: SERIES + 2, index: 0 })
    expect(warned).toEqual([])
  })

  it("forgets a batch that a reorganisation took away, and finds the one in its place", async () => {
    const former = paperManifest(SERIES + 1, HASHES)
    const { root } = paperManifest(SERIES + 1, [paperHash(30)])
    factory.fleet.addBatch(MAKER, SERIES + 1, 5, { root: former.root })
    const path = write("one.manifest", former.bytes)
    const shelf = shelfOf(path)
    await shelf.refresh()
    factory.fleet.changeBatch(MAKER, SERIES + 1, { root, size: 1 })
    await shelf.refresh()
    expect(await shelf.findPlace(HASHES[0]!)).toBeUndefined()
    expect(shelf.health()).toMatchObject({ devices: 0, faults: 1 })
    write("one.manifest", paperManifest(SERIES + 1, [paperHash(30)]).bytes)
    await shelf.refresh()
    expect(await shelf.findPlace(paperHash(30))).toMatchObject({ root })
  })

  it("gives no place that several manufacturers claim, unless one is named", async () => {
    const mine = paperManifest(SERIES + 1, HASHES)
    const theirs = paperManifest(SERIES + 1, HASHES, { manufacturerId: 9 })
    factory.fleet.addBatch(MAKER, SERIES + 1, 5, { root: mine.root })
    factory.fleet.addBatch(9, SERIES + 1, 5, { root: theirs.root })
    const shelf = shelfOf(write("mine", mine.bytes), write("theirs", theirs.bytes))
    await shelf.refresh()
    expect(await shelf.findPlace(HASHES[1]!)).toBe("contested")
    expect(await shelf.findPlace(HASHES[1]!, 9)).toMatchObject({ manufacturerId: 9 })
  })

  it("says nothing for certain once the file is gone", async () => {
    const { bytes, root } = paperManifest(SERIES + 1, HASHES)
    factory.fleet.addBatch(MAKER, SERIES + 1, 5, { root })
    const path = write("one.manifest", bytes)
    const shelf = shelfOf(path)
    await shelf.refresh()
    rmSync(path)
    await expect(shelf.findPlace(HASHES[1]!)).rejects.toMatchObject({ code: "MANIFEST_UNREADABLE" })
  })
})
