import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { decodePem, toHex } from "../../../client/index.ts"
import { CrlBook } from "../../../gateway/crl/index.ts"
import { readCrl } from "../../../gateway/crl/crlReader.ts"
import { disabledJournal } from "../../../gateway/mqtt/disabledJournal.ts"
import { MosquittoBridge } from "../../../gateway/mqtt/mosquittoBridge.ts"
import type { MosquittoBridgeOptions } from "../../../gateway/mqtt/mosquittoBridge.ts"
import { commonNameOf, usernamesFromCertificates } from "../../../gateway/mqtt/usernames.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"

const NOW = 1_800_000_000
let factory: FakeFactory
let folder: string
let told: string[]
let broken: boolean
let bridge: MosquittoBridge

function options(): MosquittoBridgeOptions {
  return {
    replica: factory.source,
    book: new CrlBook({
      replica: factory.source,
      issuers: [factory.issuer],
      publicUrl: "http://gateway.example",
      now: () => new Date(factory.fleet.timestamp * 1000),
    }),
    crlFile: join(folder, "crl.pem"),
    otherCrls: "# the root's\n",
    reload: () => void told.push("reload"),
    publish: async (topic, payload) => {
      if (broken) throw new Error("the broker is away")
      const { commands } = JSON.parse(payload) as { commands: { command: string; username: string }[] }
      expect(topic).toBe("$CONTROL/dynamic-security/v1")
      told.push(...commands.map(({ command, username }) => `${command} ${username}`))
    },
    usernamesOf: (issuerKeyId, serial) => {
      expect(issuerKeyId).toBe(factory.signer.keyId)
      const index = [0, 1, 2, 3].find((index) => toHex(factory.serial(index)) === serial)
      return index === undefined ? [] : [`device ${index}`]
    },
  }
}

beforeEach(async () => {
  factory = await FakeFactory.make(10, NOW)
  folder = mkdtempSync(join(tmpdir(), "fleetroot-mosquitto-"))
  told = []
  broken = false
  bridge = new MosquittoBridge(options())
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** A change on the ledger. */
function block(change: () => void): void {
  factory.fleet.mine()
  change()
  factory.source.changed({ kind: "batch", manufacturerId: MAKER, series: SERIES })
}

describe("MosquittoBridge", () => {
  it("writes the CRL, has it read, and then disables who is on it", async () => {
    factory.fleet.mark(MAKER, SERIES, 1)
    expect(await bridge.refresh()).toEqual({ written: true, disabled: ["device 1"], enabled: [] })
    expect(told).toEqual(["reload", "disableClient device 1"])
    const text = readFileSync(join(folder, "crl.pem"), "utf8")
    expect(text.endsWith("# the root's\n")).toBe(true)
    expect([...readCrl(decodePem(text, "X509 CRL")[0]!.der).entries()]).toHaveLength(1)
  })

  it("tells of each change once", async () => {
    await bridge.refresh()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 2, { mark: "held", reason: 6, subject: "0x1" })
    })
    await bridge.refresh()
    expect(await bridge.refresh()).toEqual({ written: false, disabled: [], enabled: [] })
    block(() => {
      factory.fleet.unmark(MAKER, SERIES, 2)
      factory.fleet.mark(MAKER, SERIES, 9)
    })
    await bridge.refresh()
    expect(told).toEqual(["reload", "reload", "disableClient device 2", "reload", "enableClient device 2"])
  })

  it("enables whose hold ended while it was down, and nobody else", async () => {
    const path = join(folder, "disabled.json")
    const restarted = (more: Partial<MosquittoBridgeOptions> = {}): MosquittoBridge =>
      new MosquittoBridge({ ...options(), journal: disabledJournal(path), ...more })
    factory.fleet.mark(MAKER, SERIES, 1)
    factory.fleet.mark(MAKER, SERIES, 2, { mark: "held", reason: 6, subject: "0x1" })
    await restarted().refresh()
    block(() => {
      factory.fleet.unmark(MAKER, SERIES, 2)
    })
    told = []
    // Who is revoked stays so where its certificate is not known any more, and where its issuer is not.
    expect((await restarted({ usernamesOf: () => [] }).refresh()).enabled).toEqual(["device 2"])
    expect(told).toEqual(["reload", "enableClient device 2"])
    const context = { replica: factory.source, issuers: [], publicUrl: "http://gateway.example" }
    expect((await restarted({ book: new CrlBook(context) }).refresh()).enabled).toEqual([])
    expect(await restarted().refresh()).toMatchObject({ disabled: ["device 1"], enabled: [] })
    writeFileSync(path, "{ damaged")
    block(() => {
      factory.fleet.unmark(MAKER, SERIES, 1)
    })
    expect((await restarted().refresh()).enabled).toEqual([])
  })

  it("notes whom it disables before it does", async () => {
    const journal = disabledJournal(join(folder, "disabled.json"))
    factory.fleet.mark(MAKER, SERIES, 1)
    broken = true
    await expect(new MosquittoBridge({ ...options(), journal }).refresh()).rejects.toThrow("the broker is away")
    expect([...(await journal.read()).keys()]).toEqual(["device 1"])
  })

  it("tries again what failed", async () => {
    factory.fleet.mark(MAKER, SERIES, 1)
    broken = true
    await expect(bridge.refresh()).rejects.toThrow("the broker is away")
    broken = false
    expect((await bridge.refresh()).disabled).toEqual(["device 1"])
    expect(told).toEqual(["reload", "disableClient device 1"])
  })

  it("refreshes by itself when the ledger changes, until it is stopped", async () => {
    const stop = await bridge.start()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 3)
    })
    await bridge.refresh()
    expect(told).toEqual(["reload", "reload", "disableClient device 3"])
    await stop()
    block(() => {
      factory.fleet.mark(MAKER, SERIES, 0)
    })
    await stop()
    expect(told).toHaveLength(3)
  })
})

describe("usernamesFromCertificates", () => {
  it("finds the common name by issuer and serial", async () => {
    const certificates = await Promise.all(
      [0, 1].map((index) => factory.certificate(index, { name: `gerät ${index}` })),
    )
    const { keyId } = factory.signer
    const usernamesOf = usernamesFromCertificates(certificates, () => keyId)
    expect(usernamesOf(keyId, toHex(factory.serial(1)))).toEqual(["gerät 1"])
    expect(usernamesOf(keyId, toHex(factory.serial(2)))).toEqual([])
    expect(usernamesOf("0x00", toHex(factory.serial(1)))).toEqual([])
    expect(commonNameOf(Uint8Array.of(0x30, 0))).toBeUndefined()
  })
})
