import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { formatDeployment, generateP256Key, memoryStore, Replica, toHex } from "../../../client/index.ts"
import type { ReplicaRow, ReplicaStore } from "../../../client/index.ts"
import { openSqliteReplicaStore } from "../../../client/node/index.ts"
import { serveRpc } from "../../../scripts/cli/testnet/rpcServer.ts"
import type { RpcServer } from "../../../scripts/cli/testnet/rpcServer.ts"
import { hashOf, pseudoRandom } from "../../contracts/helpers/stage.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { cursorAt, rowsOf } from "./storeContents.ts"
import { TempFolder } from "./tempFolder.ts"

const WRITER = fileURLToPath(new URL("storeWriter.ts", import.meta.url))
const SYNCER = fileURLToPath(new URL("replicaSyncer.ts", import.meta.url))
const FAR = 4_000_000_000

const folder = new TempFolder()
let names = 0
const newPath = (): string => folder.at(`${++names}.sqlite`)
const blocks = (from: number, to: number): ReplicaRow[] =>
  Array.from({ length: to - from + 1 }, (_, i) => rowsOf(from + i)).flat()

async function contentOf(store: ReplicaStore): Promise<{ cursor: unknown; rows: ReplicaRow[] }> {
  const { cursor, rows } = await store.load()
  const all: ReplicaRow[] = []
  for await (const portion of rows) all.push(...portion)
  return { cursor, rows: all }
}

async function filled(path: string, upTo = 50): Promise<ReplicaStore> {
  const store = await openSqliteReplicaStore(path)
  await store.write({ rows: blocks(1, upTo), cursor: cursorAt(upTo) })
  return store
}

describe.each([
  ["memoryStore", async () => memoryStore()],
  ["openSqliteReplicaStore", async () => openSqliteReplicaStore(newPath())],
] as const)("%s", (_, open) => {
  it("gives back what was written", async () => {
    const store = await open()
    expect(await contentOf(store)).toEqual({ cursor: undefined, rows: [] })
    await store.write({ rows: blocks(1, 9), cursor: cursorAt(9) })
    await store.write({ rows: blocks(10, 12), cursor: cursorAt(12) })
    await store.write({ rows: [], cursor: cursorAt(20) })
    expect(await contentOf(store)).toEqual({ cursor: cursorAt(20), rows: blocks(1, 12) })

    await store.write({ dropFrom: 6, rows: blocks(7, 8), cursor: cursorAt(8) })
    expect(await contentOf(store)).toEqual({ cursor: cursorAt(8), rows: [...blocks(1, 5), ...blocks(7, 8)] })
    await store.clear()
    expect(await contentOf(store)).toEqual({ cursor: undefined, rows: [] })
    await store.close()
  })
})

describe("openSqliteReplicaStore", () => {
  it("keeps everything until it is opened again", async () => {
    const path = newPath()
    await (await filled(path)).close()
    const again = await openSqliteReplicaStore(path)

    expect(await contentOf(again)).toEqual({ cursor: cursorAt(50), rows: blocks(1, 50) })
    await again.close()
  })

  it("notices that another process wrote, and goes on from there", async () => {
    const path = newPath()
    const [one, other] = [await filled(path, 5), await openSqliteReplicaStore(path)]
    await contentOf(other)
    await one.write({ rows: blocks(6, 6), cursor: cursorAt(6) })

    await expect(other.write({ rows: blocks(6, 7), cursor: cursorAt(7) })).rejects.toMatchObject({
      code: "REPLICA_STORE_BUSY",
    })
    expect(await contentOf(other)).toEqual({ cursor: cursorAt(6), rows: blocks(1, 6) })
    await other.write({ rows: blocks(7, 7), cursor: cursorAt(7) })
    await expect(one.write({ rows: [], cursor: cursorAt(8) })).rejects.toMatchObject({ code: "REPLICA_STORE_BUSY" })
    await Promise.all([one.close(), other.close()])
  })

  it("says what a file is that is none of its own", async () => {
    const [text, foreign, newer, nowhere] = [newPath(), newPath(), newPath(), folder.at("no/such/folder/r.sqlite")]
    writeFileSync(text, "Dear diary, today nothing happened. ".repeat(100))
    const database = new DatabaseSync(foreign)
    database.exec("CREATE TABLE diary (entry TEXT)")
    database.close()
    await (await filled(newer)).close()
    const later = new DatabaseSync(newer)
    later.exec("PRAGMA user_version = 2")
    later.close()

    const before = readFileSync(foreign)
    await expect(openSqliteReplicaStore(text)).rejects.toMatchObject({ code: "REPLICA_STORE_DAMAGED" })
    await expect(openSqliteReplicaStore(foreign)).rejects.toMatchObject({ code: "REPLICA_STORE_FOREIGN" })
    await expect(openSqliteReplicaStore(newer)).rejects.toMatchObject({ code: "REPLICA_STORE_VERSION" })
    await expect(openSqliteReplicaStore(nowhere)).rejects.toMatchObject({ code: "REPLICA_STORE_UNUSABLE" })
    expect(readFileSync(foreign)).toEqual(before)
  })

  it("never reads other rows or another cursor out of a damaged file than were written", async () => {
    const [path, copy] = [newPath(), newPath()]
    await (await filled(path)).close()
    const { length } = readFileSync(path)
    const random = pseudoRandom("damage")
    let noticed = 0
    for (let round = 0; round < 150; round++) {
      copyFileSync(path, copy)
      if (round % 10 === 0) truncateSync(copy, random(length))
      else writeSync(openSync(copy, "r+"), Uint8Array.of(random(256), random(256)), 0, 2, random(length))
      try {
        const store = await openSqliteReplicaStore(copy)
        try {
          const { cursor, rows } = await contentOf(store)
          // What was not noticed did no harm: unused space, or the octets that were there already.
          if (cursor !== undefined) expect(cursor).toEqual(cursorAt(50))
          for (const row of rows) expect(rowsOf(row.block)).toContainEqual(row)
        } finally {
          await store.close()
        }
      } catch (error) {
        expect(error).toMatchObject({
          code: expect.stringMatching(/^REPLICA_STORE_(DAMAGED|FOREIGN|VERSION|UNUSABLE)$/),
        })
        noticed += 1
      }
    }
    expect(noticed).toBeGreaterThan(50)
  })

  it.each([
    ["log", "log_index", "9007199254740993"],
    ["log", "block", "9007199254740993"],
    ["log", "contract", "9007199254740993"],
    ["log", "contract", "-1"],
    ["log", "contract", "0.5"],
    ["log", "contract", "'devices'"],
    ["log", "block_hash", "zeroblob(0)"],
    ["log", "block_hash", "'text'"],
    ["log", "topics", "7"],
    ["log", "data", "data || x'00'"],
    ["log", "sum", "zeroblob(0)"],
    ["cursor", "revision", "9007199254740993"],
    ["cursor", "json", "'{}'"],
    ["cursor", "json", "x'00'"],
  ])("says that a file is damaged where its %s has as %s %s", async (table, column, value) => {
    const path = newPath()
    await (await filled(path)).close()
    const database = new DatabaseSync(path)
    const one =
      table === "log" ? "WHERE block = 20 AND log_index = (SELECT max(log_index) FROM log WHERE block = 20)" : ""
    expect(database.prepare(`UPDATE ${table} SET ${column} = ${value} ${one}`).run().changes).toBe(1)
    database.close()

    const store = await openSqliteReplicaStore(path)
    await expect(contentOf(store)).rejects.toMatchObject({ code: "REPLICA_STORE_DAMAGED" })
    await store.close()
  })

  it("holds what some write left, whole, wherever a power cut ended what was being written", async () => {
    const [path, copy] = [newPath(), newPath()]
    const store = await openSqliteReplicaStore(path)
    for (let n = 1; n <= 40; n++) await store.write({ rows: rowsOf(n), cursor: cursorAt(n) })
    // What the disk has at a moment: the file, and the journal up to somewhere in a write, with or without rubbish behind it.
    copyFileSync(path, copy)
    const journal = readFileSync(`${path}-wal`)
    await store.close()
    const random = pseudoRandom("power cuts")
    const reached = new Set<number>()
    for (let cut = 0; cut < 120; cut++) {
      const kept = cut === 0 ? journal.length : random(journal.length)
      const rubbish = Uint8Array.from({ length: cut % 3 === 0 ? 0 : random(9_000) }, () =>
        cut % 3 === 1 ? 0 : random(256),
      )
      writeFileSync(`${copy}-wal`, Buffer.concat([journal.subarray(0, kept), rubbish]))
      rmSync(`${copy}-shm`, { force: true })
      const image = readFileSync(copy)
      const again = await openSqliteReplicaStore(copy)
      const { cursor, rows } = await contentOf(again)
      const n = (cursor as ReturnType<typeof cursorAt> | undefined)?.read.number ?? 0
      expect(cursor).toEqual(n === 0 ? undefined : cursorAt(n))
      expect(rows).toEqual(blocks(1, n))
      if (cut === 0) expect(n).toBe(40)
      reached.add(n)
      // It goes on from there.
      await again.write({ rows: rowsOf(n + 1), cursor: cursorAt(n + 1) })
      expect((await contentOf(again)).rows).toEqual(blocks(1, n + 1))
      await again.close()
      writeFileSync(copy, image)
    }
    expect(reached.size).toBeGreaterThan(20)
  })

  it("loses nothing when the disk is full, and goes on when it is not", async () => {
    const path = newPath()
    const small = await openSqliteReplicaStore(path, { maxBytes: 64 * 1024 })
    let written = 0
    const full = async (): Promise<void> => {
      for (;;) {
        await small.write({ rows: rowsOf(written + 1), cursor: cursorAt(written + 1) })
        written += 1
      }
    }
    await expect(full()).rejects.toMatchObject({ code: "REPLICA_STORE_UNUSABLE" })
    expect(written).toBeGreaterThan(10)
    expect(await contentOf(small)).toEqual({ cursor: cursorAt(written), rows: blocks(1, written) })
    await small.close()

    const large = await openSqliteReplicaStore(path)
    expect((await contentOf(large)).cursor).toEqual(cursorAt(written))
    await large.write({ rows: rowsOf(written + 1), cursor: cursorAt(written + 1) })
    expect(await contentOf(large)).toEqual({ cursor: cursorAt(written + 1), rows: blocks(1, written + 1) })
    await large.close()
  })

  it("loses nothing and repeats nothing when its process is killed, 140 times", { timeout: 600_000 }, async () => {
    const random = pseudoRandom("kills")
    const path = newPath()
    let known = 0
    for (let kill = 0; kill < 140; kill++) {
      const child = start(WRITER, path)
      let told = ""
      child.stdout?.setEncoding("utf8").on("data", (text: string) => (told += text))
      await Promise.race([once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data"), once(child, "exit")])
      await setTimeout(random(25))
      await killed(child)

      const acknowledged = Number(told.trimEnd().split("\n").at(-1))
      expect(acknowledged).toBeGreaterThan(known)
      const store = await openSqliteReplicaStore(path)
      const { cursor, rows } = await contentOf(store)
      const reached = (cursor as ReturnType<typeof cursorAt>).read.number
      expect(reached).toBeGreaterThanOrEqual(acknowledged)
      expect(cursor).toEqual(cursorAt(reached))
      expect(rows).toEqual(blocks(1, reached))
      // Else the file would grow without end.
      if (reached > 400) await store.clear()
      known = reached > 400 ? 0 : reached
      await store.close()
    }
  })
})

describe("Replica in an SQLite file", () => {
  let net: TestLedger
  let server: RpcServer
  let deploymentFile: string
  let whole: Replica

  beforeAll(async () => {
    net = await freshLedger()
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    for (let series = 1; series <= 12; series++) {
      const root = toHex(crypto.getRandomValues(new Uint8Array(32)))
      await maker.registerBatch({ root, size: 300, notAfter: FAR, issuerKeyId: issuer.keyId, series })
      await maker.revoke([{ subject: hashOf(`device ${series}`), series, index: series }], { reason: 1 })
      await maker.revokePlaces(series, [series, 2 * series, 200 + series], 4)
    }
    server = await serveRpc({ request: (call) => oneBlockAtATime(call) }, 0)
    deploymentFile = folder.write("net.json", formatDeployment(net.deployment))
    whole = await Replica.open({ deployment: net.deployment, rpc: net.rpc, store: memoryStore() })
    await whole.sync()
  })
  afterAll(async () => {
    await server.close()
    await net.close()
    folder[Symbol.dispose]()
  })

  /** So that a sync is made of many writes. */
  async function oneBlockAtATime({ method, params = [] }: { method: string; params?: unknown[] }): Promise<unknown> {
    const { fromBlock, toBlock } = (params[0] ?? {}) as { fromBlock?: string; toBlock?: string }
    if (method === "eth_getLogs" && fromBlock !== toBlock) {
      throw Object.assign(new Error("one block at a time"), { code: -32_005 })
    }
    return net.rpc.request({ method, params })
  }

  async function expectWhole(path: string): Promise<void> {
    const store = await openSqliteReplicaStore(path)
    const again = await Replica.open({ deployment: net.deployment, rpc: net.rpc, store })
    expect(again.status.entries).toBe(whole.status.entries)
    expect(again.head.globalLogHead("devices")).toBe(whole.head.globalLogHead("devices"))
    expect([...again.head.placeMarks(1, 7)]).toEqual([...whole.head.placeMarks(1, 7)])
    expect((await again.verify()).entries).toBe(whole.status.entries)
    await again.close()
  }

  it("comes to the same however often it is killed on its way, 60 times", { timeout: 600_000 }, async () => {
    const random = pseudoRandom("more kills")
    let [kills, finished, path] = [0, 0, newPath()]
    while (kills < 60) {
      const child = start(SYNCER, path, deploymentFile, server.url)
      const exit = once(child, "exit")
      await Promise.race([once(child.stdout as NonNullable<ChildProcess["stdout"]>, "data"), exit])
      const ended = await Promise.race([exit.then(() => true), setTimeout(random(80)).then(() => false)])
      if (!ended) await killed(child)
      kills += 1
      if (child.exitCode === 0) {
        await expectWhole(path)
        finished += 1
        path = newPath()
      } else if (kills % 10 === 0) {
        const store = await openSqliteReplicaStore(path)
        const { rows } = await contentOf(store)
        await store.close()
        const places = rows.map(({ block, logIndex }) => `${block}:${logIndex}`)
        expect(new Set(places).size).toBe(places.length)
      }
    }
    const child = start(SYNCER, path, deploymentFile, server.url)
    expect(await once(child, "exit")).toEqual([0, null])
    await expectWhole(path)
    expect(finished).toBeLessThan(60)
  })

  it("answers of what it knows while the disk is full, and goes on when it is not", async () => {
    const path = newPath()
    const { deployment, rpc } = net
    const small = await openSqliteReplicaStore(path, { maxBytes: 48 * 1024 })
    const replica = await Replica.open({ deployment, rpc, store: small })
    await replica.sync()
    const maker = net.manufacturer(1)
    const full = async (): Promise<void> => {
      for (let i = 0; i < 400; i++) {
        await maker.revoke(
          Array.from({ length: 40 }, (_, j) => ({ subject: hashOf(`one of many ${i} ${j}`) })),
          { reason: 1 },
        )
        await replica.sync()
      }
    }
    await expect(full()).rejects.toMatchObject({ code: "REPLICA_STORE_UNUSABLE" })
    expect(replica.status).toMatchObject({ fault: { code: "REPLICA_STORE_UNUSABLE" }, refusing: false })
    expect(replica.head.batch(1, 1)?.revokedCount).toBe(3)
    await replica.close()

    const large = await openSqliteReplicaStore(path)
    const again = await Replica.open({ deployment, rpc, store: large })
    await again.sync()
    expect((await again.heads("finalized")).head.block.number).toBe((await net.ledger.at("latest")).block.number)
    await again.verify()
    await again.close()
  })

  it("is brought further by two processes in turns", async () => {
    const path = newPath()
    const { deployment, rpc } = net
    const [one, other] = (await Promise.all(
      [0, 1].map(async () => Replica.open({ deployment, rpc, store: await openSqliteReplicaStore(path) })),
    )) as [Replica, Replica]
    for (let i = 0; i < 4; i++) {
      await net.manufacturer(1).revoke([{ subject: hashOf(`turn ${i}`) }], { reason: 1 })
      await (i % 2 === 0 ? one : other).sync()
    }
    await Promise.all([one.sync(), other.sync()])

    expect(one.head.globalLogHead("devices")).toBe(other.head.globalLogHead("devices"))
    expect(one.status.fault).toBeUndefined()
    await Promise.all([one.close(), other.close()])
  })

  it("refuses a file of another deployment", async () => {
    const path = newPath()
    const { deployment, rpc } = net
    const store = await openSqliteReplicaStore(path)
    await (await Replica.open({ deployment, rpc, store })).sync()
    const others = { ...deployment, chainId: 5 }

    await expect(Replica.open({ deployment: others, rpc, store })).rejects.toMatchObject({
      code: "REPLICA_STORE_FOREIGN",
    })
    await store.close()
  })
})

/** Starts a program of ours; what Node compiled is kept, since it is started very often. */
function start(program: string, ...args: string[]): ChildProcess {
  const env = { ...process.env, NODE_COMPILE_CACHE: folder.at("compiled") }
  return spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"], env })
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, "close")
  child.kill("SIGKILL")
  await exit
}
