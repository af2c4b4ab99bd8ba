import type { Abi, Hex } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../client/abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../../client/abi/ManufacturerRegistry.ts"
import { makeHistory } from "./helpers/history.ts"
import type { History } from "./helpers/history.ts"
import { readEntries, rebuildHeads, ReplayError } from "./helpers/replay.ts"
import type { Heads, LogEntry } from "./helpers/replay.ts"
import { at, openStage, pseudoRandom } from "./helpers/stage.ts"
import type { Stage } from "./helpers/stage.ts"
import { readStored } from "./helpers/storageReader.ts"
import type { MapKey } from "./helpers/storageReader.ts"

const CHAIN = 31_337
const STEPS = 160
const ABIS = { devices: deviceRegistryAbi as Abi, manufacturers: manufacturerRegistryAbi as Abi }
type Registry = keyof typeof ABIS

let stage: Stage
let history: History
const entries: Record<Registry, LogEntry[]> = { devices: [], manufacturers: [] }

beforeAll(async () => {
  stage = await openStage()
  history = await makeHistory(stage, "a history", STEPS)
  for (const name of ["devices", "manufacturers"] as const) {
    const filter = { address: stage[name].address, fromBlock: "0x0", toBlock: "latest" }
    const logs = await stage.provider.request({ method: "eth_getLogs", params: [filter] })
    entries[name] = readEntries(ABIS[name], logs as { topics: Hex[]; data: Hex }[])
  }
})
afterAll(() => stage.close())

// THREATS.md, I16, I20 and F9: this knows the rule of docs/formats.md and the ABI, and no event in particular.
describe.each(["devices", "manufacturers"] as const)("the log of the registry of %s", (name) => {
  const rebuilt = (list: readonly LogEntry[]): Heads => rebuildHeads(list, stage[name].address, CHAIN)

  it("is rebuilt from the events alone", async () => {
    const { global, logs } = rebuilt(entries[name])

    expect(entries[name].length).toBeGreaterThan(30)
    expect(new Set(entries[name].map((entry) => entry.name)).size).toBeGreaterThan(8)
    expect(global).toBe(await stage[name].read.globalLogHead())
    for (const id of history.manufacturers) {
      const [head, length] = await stage[name].read.logHead([id])
      expect(logs.get(id)).toEqual({ head, length })
    }
  })

  it("shows every entry that is missing, doubled, out of order or changed", () => {
    const honest = rebuilt(entries[name]).global
    const random = pseudoRandom(`tampering with ${name}`)
    for (let round = 0; round < 60; round++) {
      const list = entries[name]
      const i = random(list.length - 1)
      const entry = at(list, i)
      const changed = { ...entry, timestamp: entry.timestamp + 1n, values: entry.values.with(2, entry.timestamp + 1n) }
      const forgeries: Record<string, LogEntry[]> = {
        missing: list.toSpliced(i, 1),
        "cut short": list.slice(0, i),
        doubled: list.toSpliced(i, 0, entry),
        swapped: list.toSpliced(i, 2, at(list, i + 1), entry),
        changed: list.with(i, changed),
        retyped: list.with(i, {
          ...entry,
          topic: at(list, 0).topic === entry.topic ? `0x${"ab".repeat(32)}` : at(list, 0).topic,
        }),
      }
      for (const [what, forged] of Object.entries(forgeries)) {
        expect(`${what}: ${globalOf(forged)}`).not.toBe(`${what}: ${honest}`)
      }
    }
  })

  function globalOf(list: readonly LogEntry[]): Hex | "refused" {
    try {
      return rebuilt(list).global
    } catch (error) {
      if (error instanceof ReplayError) return "refused"
      throw error
    }
  }
})

// THREATS.md, I21.
describe("the registry of devices, read from raw storage by the documented layout", () => {
  const stored = (...path: readonly [string, ...(string | readonly [MapKey])[]]): Promise<bigint> =>
    readStored(stage, "DeviceRegistry", stage.devices.address, path)

  it("says of batches and their words what the views say", async () => {
    let marked = 0
    let revoked = 0
    for (const id of history.manufacturers) {
      for (const series of history.series) {
        const batch = await stage.devices.read.batch([id, series])
        const field = (name: string): Promise<bigint> => stored("_batches", [id], [series], "meta", name)
        expect(await stored("_batches", [id], [series], "root")).toBe(BigInt(batch.root))
        for (const name of [
          "size",
          "keyIndex",
          "registeredAt",
          "mark",
          "revokedCount",
          "changedAt",
          "reason",
        ] as const) {
          expect(await field(name)).toBe(BigInt(batch[name]))
        }
        const words = await stage.devices.read.words([id, series, 0n, 2n])
        for (const [word, bits] of words.entries()) {
          expect(await stored("_batches", [id], [series], "revoked", [word])).toBe(bits)
          if (bits !== 0n) revoked++
        }
        if (batch.mark !== 0) marked++
      }
    }
    expect(marked).toBeGreaterThan(0)
    expect(revoked).toBeGreaterThan(0)
  })

  it("says of records what the views say", async () => {
    let found = 0
    for (const id of history.manufacturers) {
      for (const subject of [...history.credentials, ...history.deviceKeyIds]) {
        const record = await stage.devices.read.record([id, subject])
        for (const name of ["registeredAt", "changedAt", "notAfter", "keyIndex", "mark", "reason"] as const) {
          expect(await stored("_records", [id], [subject], name)).toBe(BigInt(record[name]))
        }
        if (record.registeredAt !== 0 || record.mark !== 0) found++
      }
    }
    expect(found).toBeGreaterThan(5)
  })
})
