import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { BuiltBatch } from "../../../client/batch/builtBatch.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import {
  FleetFileError,
  InputPathError,
  OutputExistsError,
  OutputPathRefusedError,
  OutputWriteError,
} from "../../../client/errors/batch.ts"
import {
  ManifestLengthError,
  ManifestReadError,
  ManifestRootError,
  ReceiptMalformedError,
} from "../../../client/errors/merkle.ts"
import { readManifest } from "../../../client/merkle/manifest.ts"
import { encodeReceipt } from "../../../client/merkle/receipt.ts"
import { fileManifestSource } from "../../../client/node/fileManifestSource.ts"
import { receiptFromFile, receiptsFromFolder } from "../../../client/node/receiptFiles.ts"
import { writeFileAtomic } from "../../../client/node/writeFileAtomic.ts"
import { writeReceipts } from "../../../client/node/writeReceipts.ts"
import { TestFleet, hashRow } from "../batch/testFleet.ts"
import { TempFolder } from "./tempFolder.ts"

let batch: BuiltBatch
let folder: TempFolder

beforeAll(async () => {
  const fleet = await TestFleet.make()
  batch = await fleet.build(Array.from({ length: 300 }, (_, i) => hashRow(`${i}`)))
})
beforeEach(() => {
  folder = new TempFolder()
})
afterEach(() => folder[Symbol.dispose]())

const nameOf = (index: number): string => `${batch.device(index).credentialHash.slice(2)}.receipt`

describe("writeFileAtomic", () => {
  it.each([
    ["text", "héllo"],
    ["bytes", new TextEncoder().encode("héllo")],
    ["pieces", [new TextEncoder().encode("hé"), new TextEncoder().encode("llo")]],
    [
      "pieces as they come",
      (async function* (): AsyncGenerator<Uint8Array> {
        yield new TextEncoder().encode("hé")
        yield new TextEncoder().encode("llo")
      })(),
    ],
  ])("writes %s and leaves nothing beside it", async (_what, data) => {
    await writeFileAtomic(folder.at("out"), data)
    expect(readFileSync(folder.at("out"), "utf8")).toBe("héllo")
    expect(folder.names()).toEqual(["out"])
  })

  it("replaces a file, and a link without touching what it names", async () => {
    folder.write("target", "old")
    symlinkSync("target", folder.at("out"))
    await writeFileAtomic(folder.at("out"), "one")
    await writeFileAtomic(folder.at("out"), "two")
    expect(readFileSync(folder.at("out"), "utf8")).toBe("two")
    expect(readFileSync(folder.at("target"), "utf8")).toBe("old")
  })

  it.runIf(process.platform !== "win32")("gives the mode that was asked for", async () => {
    await writeFileAtomic(folder.at("out"), "secret", { mode: 0o600 })
    expect(statSync(folder.at("out")).mode & 0o777).toBe(0o600)
  })

  it("keeps the old file when what should be written fails on the way", async () => {
    folder.write("out", "old")
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(100)
      throw new RangeError("source broke")
    }
    await expect(writeFileAtomic(folder.at("out"), failing())).rejects.toThrow(new RangeError("source broke"))
    expect(readFileSync(folder.at("out"), "utf8")).toBe("old")
    expect(folder.names()).toEqual(["out"])
  })

  it("says what the system does not allow", async () => {
    mkdirSync(folder.at("taken"))
    await expect(writeFileAtomic(folder.at("no/such/folder"), "x")).rejects.toBeInstanceOf(OutputWriteError)
    await expect(writeFileAtomic(folder.at("taken"), "x")).rejects.toMatchObject({ code: "OUTPUT_WRITE" })
    expect(folder.names()).toEqual(["taken"])
  })
})

describe("fileManifestSource", () => {
  it("serves a manifest from a file", async () => {
    await writeFileAtomic(folder.at("m"), batch.manifest())
    await using source = await fileManifestSource(folder.at("m"))
    const manifest = await readManifest(source, { root: batch.root })
    expect(manifest.header).toMatchObject({ size: 300, root: batch.root })
    expect(await manifest.inclusionProof(299)).toEqual(batch.receipt(299).proof)
  })

  it("lets every change be found out: one byte, one less, one more, one while it is read", async () => {
    const bytes = batch.manifestBytes()
    const changed = bytes.slice()
    changed[5000]! ^= 1
    const read = async (name: string): Promise<unknown> => {
      await using source = await fileManifestSource(folder.at(name))
      return await readManifest(source) // before the file is closed
    }
    folder.write("changed", changed)
    folder.write("short", bytes.slice(0, -1))
    folder.write("long", Buffer.concat([bytes, Buffer.of(0)]))
    await expect(read("changed")).rejects.toBeInstanceOf(ManifestRootError)
    await expect(read("short")).rejects.toBeInstanceOf(ManifestLengthError)
    await expect(read("long")).rejects.toBeInstanceOf(ManifestLengthError)

    folder.write("shrinking", bytes)
    await using source = await fileManifestSource(folder.at("shrinking"))
    truncateSync(folder.at("shrinking"), 1000)
    await expect(readManifest(source)).rejects.toBeInstanceOf(ManifestReadError)
  })

  it("is refused for what is no file", async () => {
    await expect(fileManifestSource(folder.at("none"))).rejects.toBeInstanceOf(InputPathError)
    await expect(fileManifestSource(folder.path)).rejects.toBeInstanceOf(FleetFileError)
  })
})

describe("writeReceipts", () => {
  it("writes each receipt under its credential's hash, from where it is found again", async () => {
    const seen: number[] = []
    const done = await writeReceipts(folder.at("a/b"), batch.receipts(), { onProgress: (n) => seen.push(n) })

    expect(done).toBe(300)
    expect(seen).toEqual([256, 300])
    expect(folder.names("a/b")).toHaveLength(300)
    const source = await receiptsFromFolder(folder.at("a/b"))
    const { credentialHash } = batch.device(7)
    expect(await source.receiptOf(credentialHash)).toEqual(batch.receipt(7))
    expect(await receiptFromFile(folder.at(`a/b/${nameOf(7)}`))).toEqual(batch.receipt(7))
  })

  it("ends in the same state when it is run again after being killed", async () => {
    await writeReceipts(folder.at("r"), batch.receipts())
    const before = statSync(folder.at(`r/${nameOf(0)}`)).mtimeMs
    truncateSync(folder.at(`r/${nameOf(1)}`), 0)
    truncateSync(folder.at(`r/${nameOf(2)}`), 100)

    expect(await writeReceipts(folder.at("r"), batch.receipts())).toBe(300)

    expect(statSync(folder.at(`r/${nameOf(0)}`)).mtimeMs).toBe(before)
    for (const index of [0, 1, 2])
      expect(folder.bytes(`r/${nameOf(index)}`)).toEqual(encodeReceipt(batch.receipt(index)))
    expect(folder.names("r")).toHaveLength(300)
  })

  it("does not touch a file with other content", async () => {
    folder.folder("r")
    folder.write(`r/${nameOf(3)}`, encodeReceipt(batch.withSeries(9).receipt(3)))
    await expect(writeReceipts(folder.at("r"), batch.receipts())).rejects.toBeInstanceOf(OutputExistsError)
    folder.write(`r/${nameOf(3)}`, new Uint8Array(5000))
    await expect(writeReceipts(folder.at("r"), batch.receipts())).rejects.toBeInstanceOf(OutputExistsError)
    expect(folder.bytes(`r/${nameOf(3)}`)).toHaveLength(5000)
  })

  it.each<[string, Hex]>([
    ["a way up", "0x../../../etc/passwd"],
    ["an absolute path", "/etc/passwd" as Hex],
    ["a NUL", `0x${"00".repeat(31)}0\0`],
    ["upper case", `0x${"AB".repeat(32)}`],
    ["a hash and a line feed", `0x${"ab".repeat(32)}\n`],
    ["a device name", "NUL" as Hex],
    ["nothing", "0x"],
  ])("refuses a name that is no hash: %s", async (_what, credentialHash) => {
    const receipts = [{ credentialHash, receipt: batch.receipt(0) }]
    await expect(writeReceipts(folder.at("r"), receipts)).rejects.toBeInstanceOf(OutputPathRefusedError)
    expect(folder.names("r")).toEqual([])
  })

  it("follows no link: neither as the folder nor in a file's place", async () => {
    folder.folder("elsewhere")
    symlinkSync("elsewhere", folder.at("r"))
    await expect(writeReceipts(folder.at("r"), batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)
    await expect(writeReceipts(`${folder.at("r")}/`, batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)

    folder.folder("s")
    symlinkSync("../elsewhere/new", folder.at(`s/${nameOf(0)}`))
    await expect(writeReceipts(folder.at("s"), batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)
    symlinkSync("nowhere", folder.at("t"))
    await expect(writeReceipts(folder.at("t"), batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)
    expect(folder.names("elsewhere")).toEqual([])
  })

  it("refuses a folder that is a file, and what stands in a file's place", async () => {
    folder.write("f", "")
    await expect(writeReceipts(folder.at("f"), batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)
    await expect(writeReceipts(folder.at("f/g"), batch.receipts())).rejects.toBeInstanceOf(OutputWriteError)
    folder.folder(`r/${nameOf(0)}`)
    await expect(writeReceipts(folder.at("r"), batch.receipts())).rejects.toBeInstanceOf(OutputPathRefusedError)
  })
})

describe("receiptsFromFolder", () => {
  it("knows nothing of a credential without a file", async () => {
    const source = await receiptsFromFolder(folder.path)
    expect(await source.receiptOf(`0x${"12".repeat(32)}`)).toBeUndefined()
    expect(await source.receiptOf("0x../x")).toBeUndefined()
  })

  it("refuses files that are no receipts, and does not read huge ones", async () => {
    const source = await receiptsFromFolder(folder.path)
    const hash = `0x${"12".repeat(32)}` as const
    const file = `${"12".repeat(32)}.receipt`
    writeFileSync(folder.at(file), "junk")
    await expect(source.receiptOf(hash)).rejects.toBeInstanceOf(ReceiptMalformedError)
    writeFileSync(folder.at(file), encodeReceipt(batch.receipt(0)).slice(0, -1))
    await expect(source.receiptOf(hash)).rejects.toBeInstanceOf(ReceiptMalformedError)
    writeFileSync(folder.at(file), new Uint8Array(1_000_000))
    await expect(source.receiptOf(hash)).rejects.toBeInstanceOf(FleetFileError)
  })

  it("needs a folder", async () => {
    await expect(receiptsFromFolder(folder.at("none"))).rejects.toBeInstanceOf(InputPathError)
    await expect(receiptsFromFolder(folder.write("f", ""))).rejects.toBeInstanceOf(FleetFileError)
  })
})
