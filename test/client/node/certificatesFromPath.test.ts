import { execFileSync } from "node:child_process"
import { linkSync, symlinkSync } from "node:fs"
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { BatchRow } from "../../../client/batch/batchRow.ts"
import { InputPathError } from "../../../client/errors/batch.ts"
import { certificatesFromPath } from "../../../client/node/certificatesFromPath.ts"
import { encodePem } from "../../../client/x509/pem.ts"
import { NOW, TestFleet, collect, hashOf } from "../batch/testFleet.ts"
import { toHex } from "../../../client/crypto/hex.ts"
import { TempFolder } from "./tempFolder.ts"

let fleet: TestFleet
let der: Uint8Array
let pem: string
let folder: TempFolder

beforeAll(async () => {
  fleet = await TestFleet.make()
  der = await fleet.certificate()
  pem = encodePem("CERTIFICATE", der)
})
beforeEach(() => {
  folder = new TempFolder()
})
afterEach(() => folder[Symbol.dispose]())

const rowsOf = async (path: string): Promise<string[]> => (await collect(certificatesFromPath(path))).map(say)
const say = (row: BatchRow): string => {
  if ("error" in row) return `${row.source}: ${row.error.message}`
  return "der" in row ? `${row.source}: ${row.der.length} bytes` : `${row.source}: hash`
}

describe("certificatesFromPath of a folder", () => {
  it("reads PEM and DER in the natural order of the names", async () => {
    for (const name of ["dev10.pem", "dev9.der", "dev1.crt", "Dev2.pem", "dev02"]) {
      folder.write(name, name.endsWith("der") ? der : pem)
    }
    const bytes = `${der.length} bytes`
    expect(await rowsOf(folder.path)).toEqual(
      ["Dev2.pem", "dev1.crt", "dev02", "dev9.der", "dev10.pem"].map((name) => `${name}: ${bytes}`),
    )
  })

  it("does not look at hidden files and private keys, and at nothing else less", async () => {
    for (const name of [".hidden", "dev.key", "ca.srl", "notes.txt", "other.csr", "key"]) folder.write(name, "secret")
    folder.write("dev.pem", pem)
    folder.folder("more")
    const rows = await rowsOf(folder.path)
    const missing = 'No "-----BEGIN CERTIFICATE-----" block, and not DER.'
    expect(rows).toEqual([
      `ca.srl: ${missing}`,
      `dev.pem: ${der.length} bytes`,
      `key: ${missing}`,
      "more: more is a folder.",
      `notes.txt: ${missing}`,
      `other.csr: ${missing}`,
    ])
  })

  it("gives a certificate the request that stands beside it", async () => {
    const request = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00)
    folder.write("a.pem", pem)
    folder.write("a.csr", encodePem("CERTIFICATE REQUEST", request))
    folder.write("b.crt", pem)
    folder.write("b.csr", request)
    folder.write("c.der", der)
    folder.write("d", pem)
    folder.write("d.csr", request)
    folder.write("e.cer", pem)
    folder.write("e.csr", pem)
    const rows = await collect(certificatesFromPath(folder.path))
    expect(rows.slice(0, 4)).toEqual([
      { source: "a.pem", der, csr: request },
      { source: "b.crt", der, csr: request },
      { source: "c.der", der },
      { source: "d", der },
    ])
    expect(rows.slice(4)).toMatchObject([
      { source: "d.csr", der: request },
      { source: "e.cer", error: { code: "PEM_BLOCK_MISSING" } },
    ])
  })

  it.each([
    ["empty", "", "x is empty."],
    ["cut PEM", () => pem.slice(0, -40), "Malformed PEM: "],
    ["two certificates", () => pem + pem, '2 "CERTIFICATE" blocks'],
    [
      "a private key",
      encodePem("PRIVATE KEY", new Uint8Array(9)),
      'No "-----BEGIN CERTIFICATE-----" block; found PRIVATE KEY',
    ],
    ["binary junk", Uint8Array.from({ length: 999 }, (_, i) => (i * 7919 + 1) % 256), "No "],
    ["huge", new Uint8Array(262_145).fill(0x30), "x has more than 262144 bytes."],
  ])("gives a bad row for a file that is %s", async (_what, content, message) => {
    folder.write("x", typeof content === "function" ? content() : content)
    const rows = await rowsOf(folder.path)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toContain(`x: ${message}`)
  })

  it("reads a file of the largest size, and text in front of a certificate", async () => {
    folder.write("x", pem.padStart(262_144, "\n"))
    folder.write("y", `Certificate:\n    Data:\n${pem}`)
    expect(await rowsOf(folder.path)).toEqual([`x: ${der.length} bytes`, `y: ${der.length} bytes`])
  })

  it("follows links inside of it and refuses those that lead out, nowhere or in circles", async () => {
    const home = folder.folder("home")
    folder.folder("home2")
    folder.write("home2/outside.pem", pem)
    folder.write("home/real.pem", pem)
    symlinkSync("real.pem", folder.at("home/a-inside.pem"))
    symlinkSync("../home2/outside.pem", folder.at("home/b-outside.pem"))
    symlinkSync(folder.at("home2/outside.pem"), folder.at("home/c-absolute.pem"))
    symlinkSync("nothing", folder.at("home/d-nowhere.pem"))
    symlinkSync("e-circle.pem", folder.at("home/e-circle.pem"))
    symlinkSync("..", folder.at("home/f-folder.pem"))
    symlinkSync(".", folder.at("home/g-itself.pem"))

    const out = "is a link that leads out of the folder."
    expect(await rowsOf(home)).toEqual([
      `a-inside.pem: ${der.length} bytes`,
      `b-outside.pem: b-outside.pem ${out}`,
      `c-absolute.pem: c-absolute.pem ${out}`,
      "d-nowhere.pem: d-nowhere.pem is a link that leads nowhere.",
      "e-circle.pem: e-circle.pem is a link that leads nowhere.",
      `f-folder.pem: f-folder.pem ${out}`,
      `g-itself.pem: g-itself.pem ${out}`,
      `real.pem: ${der.length} bytes`,
    ])
  })

  it("may itself be reached by a link", async () => {
    folder.folder("home")
    folder.write("home/a.pem", pem)
    linkSync(folder.at("home/a.pem"), folder.at("home/b.pem"))
    symlinkSync("home", folder.at("alias"))
    expect(await rowsOf(folder.at("alias"))).toHaveLength(2)
  })

  it.runIf(process.platform !== "win32")("does not wait for pipes", async () => {
    execFileSync("mkfifo", [folder.at("pipe")])
    expect(await rowsOf(folder.path)).toEqual(["pipe: pipe is no regular file."])
  })

  it("shows names that would play with a terminal in a harmless form", async () => {
    folder.write("a\u001b[2J\u202e.pem", "")
    expect(await rowsOf(folder.path)).toEqual(["a\\u{1b}[2J\\u{202e}.pem: a\\u{1b}[2J\\u{202e}.pem is empty."])
  })

  it("gives no row for none", async () => {
    expect(await rowsOf(folder.path)).toEqual([])
  })

  it("keeps the order with many files", async () => {
    const names = Array.from({ length: 300 }, (_, i) => `d${i}.pem`)
    for (const name of names.toReversed()) folder.write(name, name === "d150.pem" ? "" : pem)
    const rows = await collect(certificatesFromPath(folder.path))
    expect(rows.map(({ source }) => source)).toEqual(names)
  })

  it("may be left before its end", async () => {
    for (let i = 0; i < 100; i++) folder.write(`${i}.pem`, pem)
    for await (const row of certificatesFromPath(folder.path)) {
      expect(row.source).toBe("0.pem")
      break
    }
  })
})

describe("certificatesFromPath of a file", () => {
  it("reads one DER certificate", async () => {
    expect(await rowsOf(folder.write("one.cer", der))).toEqual([`one.cer: ${der.length} bytes`])
  })

  it("reads a PEM bundle", async () => {
    const rows = await rowsOf(folder.write("all.pem", pem.repeat(2000)))
    expect(rows).toHaveLength(2000)
    expect(rows[1]).toBe(`all.pem:${pem.trim().split("\n").length + 1}: ${der.length} bytes`)
  })

  it.each(["f.csv", "F.CSV"])("reads %s as CSV", async (name) => {
    const path = folder.write(name, `credentialHash\n${toHex(hashOf("a"))}\n`)
    expect(await rowsOf(path)).toEqual([`${name}:2: hash`])
  })

  it.each(["f.ndjson", "f.jsonl"])("reads %s as NDJSON", async (name) => {
    const path = folder.write(name, `{"credentialHash":"${toHex(hashOf("a"))}","notAfter":${NOW}}\n`)
    expect(await rowsOf(path)).toEqual([`${name}:1: hash`])
  })

  it("gives one bad row for an empty file and for binary junk", async () => {
    const message = 'No "-----BEGIN CERTIFICATE-----" block, and not DER.'
    expect(await rowsOf(folder.write("e.pem", ""))).toEqual([`e.pem: ${message}`])
    expect(await rowsOf(folder.write("j", new Uint8Array(300_000).fill(0xff)))).toEqual([`j: ${message}`])
    expect(await rowsOf(folder.write("huge.der", new Uint8Array(300_000).fill(0x30)))).toEqual([
      expect.stringContaining("has more than 262144 bytes."),
    ])
  })

  it("reads raw public keys one a file, whatever their bytes", async () => {
    folder.write("a.cose", Uint8Array.of(0xd2, 0x84))
    const rows = await collect(certificatesFromPath(folder.path, { kind: "rawPublicKey" }))
    expect(rows).toEqual([{ source: "a.cose", der: Uint8Array.of(0xd2, 0x84) }])
    expect(await collect(certificatesFromPath(folder.at("a.cose"), { kind: "rawPublicKey" }))).toEqual(rows)
  })

  it("is refused when it is not there, or no file and no folder", async () => {
    await expect(rowsOf(folder.at("nowhere"))).rejects.toBeInstanceOf(InputPathError)
    await expect(rowsOf("/dev/zero")).rejects.toMatchObject({ code: "FLEET_FILE", reason: "is no regular file" })
  })
})
