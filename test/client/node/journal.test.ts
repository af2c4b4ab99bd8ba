import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { JournalDamagedError, RunInProgressError, StateFolderError } from "../../../client/index.ts"
import type { Deployment, Hex, JournalEntry } from "../../../client/index.ts"
import { fileHeadMemory, openJournal, stateFolder } from "../../../client/node/index.ts"
import { TempFolder } from "./tempFolder.ts"

const ACCOUNT: Hex = `0x${"aa".repeat(20)}`
const contract = { address: ACCOUNT, codeHash: `0x${"cc".repeat(32)}` } as const
const DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 5,
  block: { number: 1, hash: `0x${"bb".repeat(32)}` },
  contracts: { access: contract, manufacturers: contract, devices: contract },
}

let home: TempFolder
beforeEach(() => {
  home = new TempFolder()
})
afterEach(() => {
  home[Symbol.dispose]()
})

const entry = (n: number): JournalEntry => ({
  id: `0x${String(n).padStart(64, "0")}`,
  chainId: 5,
  from: ACCOUNT,
  nonce: n,
  raw: "0x02",
  hashes: [`0x${"dd".repeat(32)}`],
  once: n === 2,
})

function open(purpose = "test", waitSeconds = 0): ReturnType<typeof openJournal> {
  return openJournal({ folder: home.path, deployment: DEPLOYMENT, account: ACCOUNT, purpose, waitSeconds })
}

describe("openJournal", () => {
  it("keeps, replaces and removes entries, over its closing", async () => {
    const journal = await open()
    for (const n of [1, 2, 3]) await journal.put(entry(n))
    await journal.put({ ...entry(1), raw: "0x03" })
    await journal.remove(entry(3).id)
    journal.close()

    const again = await open()

    const entries = await again.entries()
    expect(entries.toSorted((a, b) => a.nonce - b.nonce)).toEqual([{ ...entry(1), raw: "0x03" }, entry(2)])
    again.close()
  })

  it("belongs to one run at a time, and tells the other who has it", async () => {
    const first = await open("batch register")

    const second = open("revoke")
    await expect(second).rejects.toThrow(RunInProgressError)
    await expect(second).rejects.toMatchObject({
      holder: expect.stringMatching(new RegExp(`^batch register, process ${process.pid} on `)),
    })

    first.close()
    ;(await open()).close()
  })

  it("waits for the other run, and says so once", async () => {
    const first = await open("batch register")
    const told: string[] = []
    setTimeout(() => {
      first.close()
    }, 500)

    const second = await openJournal({
      folder: home.path,
      deployment: DEPLOYMENT,
      account: ACCOUNT,
      purpose: "revoke",
      onWait: (holder) => told.push(holder),
    })

    expect(told).toHaveLength(1)
    second.close()
  })

  it("is free as soon as its holder was killed, with every entry that was put", async () => {
    const index = fileURLToPath(new URL("../../../client/node/index.ts", import.meta.url))
    const program = `
      const { openJournal } = await import(${JSON.stringify(index)})
      const journal = await openJournal(${JSON.stringify({ folder: home.path, deployment: DEPLOYMENT, account: ACCOUNT, purpose: "victim" })})
      for (const entry of ${JSON.stringify([entry(1), entry(2)])}) await journal.put(entry)
      console.log("put")
      setInterval(() => undefined, 1000)`
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    await once(child.stdout, "data")
    await expect(open()).rejects.toThrow(RunInProgressError)

    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone

    const journal = await open()
    expect(await journal.entries()).toEqual([entry(1), entry(2)])
    journal.close()
  })

  it("does not let accounts or deployments share a file", async () => {
    const journals = await Promise.all([
      open(),
      openJournal({ folder: home.path, deployment: DEPLOYMENT, account: `0x${"ab".repeat(20)}`, purpose: "test" }),
      openJournal({
        folder: home.path,
        deployment: { ...DEPLOYMENT, block: { number: 1, hash: `0x${"ee".repeat(32)}` } },
        account: ACCOUNT,
        purpose: "test",
      }),
    ])
    expect(new Set(journals.map(({ path }) => path)).size).toBe(3)
    for (const journal of journals) journal.close()
  })

  it("refuses a file that is no journal, and leaves it", async () => {
    const journal = await open()
    journal.close()
    const { path } = journal
    writeFileSync(path, "this was a journal once ".repeat(100))

    await expect(open()).rejects.toThrow(JournalDamagedError)
    expect(statSync(path).size).toBe(2_400)
  })

  it("names the folder that cannot be used", async () => {
    const missing = openJournal({
      folder: home.at("missing"),
      deployment: DEPLOYMENT,
      account: ACCOUNT,
      purpose: "test",
      waitSeconds: 0,
    })
    await expect(missing).rejects.toThrow(StateFolderError)
  })
})

describe("fileHeadMemory", () => {
  const head = (number: number): { number: number; hash: Hex } => ({ number, hash: `0x${"11".repeat(32)}` })

  it("remembers the highest head over processes, and never a lower one", async () => {
    await fileHeadMemory(home.path, DEPLOYMENT).save(head(7))
    await fileHeadMemory(home.path, DEPLOYMENT).save(head(5))

    expect(await fileHeadMemory(home.path, DEPLOYMENT).load()).toEqual(head(7))
    expect(await fileHeadMemory(home.path, { ...DEPLOYMENT, chainId: 6 }).load()).toBeUndefined()
  })

  it.each(["", "{}", "null", '{"number":"7","hash":"0x11"}', '{"number":7,"hash":"0x11"}'])(
    "does not guess what a damaged file meant: %s",
    async (text) => {
      const memory = fileHeadMemory(home.path, DEPLOYMENT)
      await memory.save(head(7))
      writeFileSync(home.at(readdirSync(home.path)[0]!), text)

      await expect(memory.load()).rejects.toThrow(StateFolderError)
    },
  )
})

describe("stateFolder", () => {
  it("is FLEETROOT_STATE, or fleetroot in the XDG state folder, for this user alone", () => {
    const own = stateFolder({ FLEETROOT_STATE: home.at("own") })
    const xdg = stateFolder({ XDG_STATE_HOME: home.at("xdg") })

    expect([own, xdg]).toEqual([home.at("own"), home.at("xdg/fleetroot")])
    for (const path of [own, xdg]) expect(statSync(path).mode & 0o077).toBe(0)
  })

  it("names the path that cannot be made", () => {
    home.write("file", "x")
    expect(() => stateFolder({ FLEETROOT_STATE: home.at("file/below") })).toThrow(StateFolderError)
  })
})
