import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { encodePem, toHex } from "../../../client/index.ts"
import type { Certificate } from "../../../client/index.ts"
import { UsernameFiles } from "../../../gateway/mqtt/usernameFiles.ts"
import { FakeFactory } from "../fakeFactory.ts"

let folder: string
let factory: FakeFactory
let files: UsernameFiles

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "usernames-"))
  factory = await FakeFactory.make()
  files = new UsernameFiles([folder], [factory.issuer])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const pemOf = ({ der }: Certificate): string => encodePem("CERTIFICATE", der)
const nameOf = ({ serial }: Certificate): readonly string[] => files.usernamesOf(factory.issuer.keyId, toHex(serial))

/** Writes over a file, of which its folder's time does not tell. */
function writeOver(name: string, text: string): void {
  const { mtimeMs } = statSync(folder)
  writeFileSync(join(folder, name), text)
  expect(statSync(folder).mtimeMs).toBe(mtimeMs)
}

describe("The user names of a folder's certificates", () => {
  it("are read again when a file was only half written before", async () => {
    const certificate = await factory.certificate(1, { name: "pump" })
    const text = pemOf(certificate)
    writeFileSync(join(folder, "pump.pem"), text.slice(0, 200))
    await files.refresh()
    expect(nameOf(certificate)).toEqual([])

    writeOver("pump.pem", text)
    await files.refresh()
    expect(nameOf(certificate)).toEqual(["pump"])
  })

  it("are those of the certificates that stand there now", async () => {
    const [old, renewed] = [
      await factory.certificate(1, { name: "pump" }),
      await factory.certificate(2, { name: "pump 2" }),
    ]
    writeFileSync(join(folder, "a.pem"), pemOf(old))
    writeFileSync(join(folder, "stray.txt"), "no certificate")
    await files.refresh()
    expect([nameOf(old), nameOf(renewed)]).toEqual([["pump"], []])

    writeOver("a.pem", pemOf(renewed))
    await files.refresh()
    expect([nameOf(old), nameOf(renewed)]).toEqual([[], ["pump 2"]])

    rmSync(join(folder, "a.pem"))
    await files.refresh()
    expect([nameOf(old), nameOf(renewed)]).toEqual([[], []])
  })
})
