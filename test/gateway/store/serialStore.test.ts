import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import type { Hex } from "../../../client/index.ts"
import {
  SerialConflictError,
  SerialStoreForeignError,
  SerialStoreUnusableError,
} from "../../../gateway/errors/gateway.ts"
import { databaseName, openSerialStore } from "../../../gateway/store/openSerialStore.ts"
import { openPostgresSerialStore } from "../../../gateway/store/postgresSerialStore.ts"
import type { SerialEntry, SerialStore } from "../../../gateway/store/serialMap.ts"
import { openSqliteSerialStore } from "../../../gateway/store/sqliteSerialStore.ts"
import { TestPostgres } from "../../helpers/postgres.ts"

const hash = (text: string): Hex => `0x${Buffer.from(text).toString("hex").padStart(64, "0").slice(-64)}`
const [ISSUER, OTHER] = [hash("issuer"), hash("other")]

function entry(number: number, changes: Partial<SerialEntry> = {}): SerialEntry {
  return {
    issuerKeyId: ISSUER,
    serial: `0x11${number.toString(16).padStart(8, "0")}`,
    credentialHash: hash(`credential ${number}`),
    deviceKeyId: hash(`device ${number}`),
    place: { manufacturerId: 4_294_967_295, series: 4_294_967_295, index: number },
    notBefore: 1_700_000_000,
    notAfter: 253_402_300_799,
    ...changes,
  }
}

async function all(store: SerialStore, issuer = ISSUER): Promise<SerialEntry[]> {
  const entries: SerialEntry[] = []
  for await (const entry of store.ofIssuer(issuer)) entries.push(entry)
  return entries
}

const folder = mkdtempSync(join(tmpdir(), "fleetroot-store-"))
let postgres: TestPostgres
const opened: SerialStore[] = []
beforeAll(async () => {
  postgres = await TestPostgres.start()
})
afterAll(async () => {
  await postgres.remove()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

describe.each([
  ["SQLite", async (file: string) => openSqliteSerialStore(join(folder, `${file}.sqlite`))],
  ["PostgreSQL", async (_file: string) => openPostgresSerialStore(postgres.url)],
] as const)("a serial map in %s", (_kind, openStore) => {
  let number = 0
  const issuer = (): Hex => hash(`${_kind} ${number}`)
  const fresh = async (): Promise<SerialStore> => {
    number++
    return again()
  }
  const again = async (): Promise<SerialStore> => {
    const store = await openStore(`map-${number}`)
    opened.push(store)
    return store
  }
  const own = (n: number, changes: Partial<SerialEntry> = {}): SerialEntry =>
    entry(n, {
      issuerKeyId: issuer(),
      credentialHash: hash(`${_kind} ${number} ${n}`),
      ...changes,
    })

  it("gives back what it was given, to another process too", async () => {
    const store = await fresh()
    const [placed, bare] = [own(1, { fingerprint: hash(`f${_kind}`) }), own(2, { place: undefined })]

    expect(await store.put([placed, bare])).toEqual({ added: 2 })
    const other = await again()

    for (const map of [store, other]) {
      expect(await map.get(issuer(), placed.serial)).toEqual(placed)
      expect(await map.get(issuer(), bare.serial)).toEqual(bare)
      expect(await map.find(placed.credentialHash)).toEqual(placed)
      expect(await map.find(hash(`f${_kind}`))).toEqual(placed)
      expect(await map.get(OTHER, placed.serial)).toBeUndefined()
      expect(await map.get(issuer(), "0x11")).toBeUndefined()
      expect(await map.find(hash("nothing"))).toBeUndefined()
    }
  })

  it("adds what is new, once", async () => {
    const store = await fresh()
    expect(await store.put([own(1), own(1), own(2)])).toEqual({ added: 2 })
    expect(await store.put([own(1), own(3)])).toEqual({ added: 1 })
    expect(await all(store, issuer())).toEqual([own(1), own(2), own(3)])
  })

  it("fills in a place and a fingerprint that were not known", async () => {
    const store = await fresh()
    await store.put([own(1, { place: undefined })])
    expect(await store.put([own(1)])).toEqual({ added: 0 })
    expect(await store.put([own(1, { place: undefined, fingerprint: hash(`later ${_kind}`) })])).toEqual({ added: 0 })
    expect(await store.get(issuer(), own(1).serial)).toEqual(own(1, { fingerprint: hash(`later ${_kind}`) }))
  })

  it.each([
    ["a serial of two certificates", { credentialHash: hash("another certificate") }],
    ["a certificate at two places", { place: { manufacturerId: 1, series: 1, index: 5 } }],
  ])("refuses %s, and adds nothing of what came with it", async (_what, changes) => {
    const store = await fresh()
    await store.put([own(1)])
    const told = own(1, changes)

    const refused = store.putAll([[own(2)], [own(3), told]])

    await expect(refused).rejects.toThrow(SerialConflictError)
    await expect(refused).rejects.toMatchObject({ serial: told.serial, issuerKeyId: issuer() })
    expect(await all(store, issuer())).toEqual([own(1)])
    // It can go on.
    expect(await store.put([own(2)])).toEqual({ added: 1 })
    await expect(store.put([own(5), own(5, changes)])).rejects.toThrow(SerialConflictError)
  })

  it("adds nothing of portions that break off", async () => {
    const store = await fresh()
    const portions = async function* (): AsyncGenerator<SerialEntry[]> {
      yield [own(1)]
      throw new Error("the file ends here")
    }
    await expect(store.putAll(portions())).rejects.toThrow("the file ends here")
    expect(await all(store, issuer())).toEqual([])
  })

  it("lists an issuer's entries in their order, however many", async () => {
    const store = await fresh()
    const many = Array.from({ length: 2500 }, (_, n) => own(n))
    await store.put([entry(7, { issuerKeyId: OTHER })])
    await store.putAll([many.slice(0, 1200), many.slice(1200)])
    const listed = await all(store, issuer())
    expect(listed.map(({ serial }) => serial)).toEqual(many.map(({ serial }) => serial))
  })

  it("takes the same from two at once, and each entry once", async () => {
    const [one, other] = [await fresh(), await again()]
    const many = Array.from({ length: 300 }, (_, n) => own(n))
    const added = await Promise.all([one.put(many), other.put(many.toReversed()), one.put(many.slice(100))])
    expect(added.reduce((sum, { added }) => sum + added, 0)).toBe(300)
    expect(await all(one, issuer())).toHaveLength(300)
  })
})

describe("a serial map in a file", () => {
  it("refuses a database of something else, of a later version, and what is no database", async () => {
    const [foreign, later, text] = ["foreign", "later", "text"].map((name) => join(folder, `${name}.sqlite`)) as [
      string,
      string,
      string,
    ]
    const database = new DatabaseSync(foreign)
    database.exec("CREATE TABLE notes (text)")
    database.close()
    await openSqliteSerialStore(later).close()
    const newer = new DatabaseSync(later)
    newer.exec("PRAGMA user_version = 2")
    newer.close()
    writeFileSync(text, "this is no database, only text that is longer than its header".repeat(20))

    expect(() => openSqliteSerialStore(foreign)).toThrow(SerialStoreForeignError)
    expect(() => openSqliteSerialStore(later)).toThrow(SerialStoreForeignError)
    expect(() => openSqliteSerialStore(text)).toThrow(SerialStoreUnusableError)
    expect(() => openSqliteSerialStore(join(folder, "no", "such", "folder"))).toThrow(SerialStoreUnusableError)
  })

  it("is whole or not at all when its process is killed in the middle of adding", async () => {
    const path = join(folder, "killed.sqlite")
    const script = `
      const { openSqliteSerialStore } = await import(${JSON.stringify(new URL("../../../gateway/store/sqliteSerialStore.ts", import.meta.url).href)})
      const store = openSqliteSerialStore(${JSON.stringify(path)})
      const entry = (n) => ({ issuerKeyId: "${ISSUER}", serial: "0x11" + n.toString(16).padStart(8, "0"),
        credentialHash: "${hash("x")}", deviceKeyId: "${hash("y")}", place: undefined, notBefore: 1, notAfter: 2 })
      await store.put([entry(0)])
      const portions = async function* () {
        for (let n = 1; ; n += 100) {
          yield Array.from({ length: 100 }, (_, i) => entry(n + i))
          if (n === 10001) process.stdout.write("halfway")
        }
      }
      await store.putAll(portions())`
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    await once(child.stdout, "data")
    child.kill("SIGKILL")
    await once(child, "close")

    const store = openSqliteSerialStore(path)
    opened.push(store)
    expect(await store.count()).toBe(1)
    expect(await store.put([entry(5)])).toEqual({ added: 1 })
  })

  it("says so when its disk is full, keeps what it had, and goes on when there is room", async () => {
    const disk = mkdtempSync(join(tmpdir(), "fleetroot-full-"))
    // The store's own limit stands for the disk's: SQLite gives the same error.
    const path = join(disk, "serials.sqlite")
    const store = openSqliteSerialStore(path)
    opened.push(store)
    await store.put([entry(1)])
    const portions = function* (): Generator<SerialEntry[]> {
      for (let n = 2; n < 40_000; n += 100) yield Array.from({ length: 100 }, (_, i) => entry(n + i))
    }
    const limited = ["-c", 'ulimit -f 200; exec "$0" --input-type=module -e "$1"', process.execPath, fullDisk(path)]
    const { stdout } = await promisify(execFile)("sh", limited)
    expect(stdout).toContain("SERIAL_STORE_UNUSABLE")
    expect(await store.count()).toBe(1)
    await store.putAll(portions())
    expect(await store.count()).toBeGreaterThan(39_000)
    rmSync(disk, { recursive: true, force: true })
  })
})

/** A program that may write no file beyond a size, and says what its store says then. */
function fullDisk(path: string): string {
  return `
    process.on("SIGXFSZ", () => undefined)
    const { openSqliteSerialStore } = await import(${JSON.stringify(new URL("../../../gateway/store/sqliteSerialStore.ts", import.meta.url).href)})
    const store = openSqliteSerialStore(${JSON.stringify(path)})
    const portions = function* () {
      for (let n = 2; n < 40000; n++) {
        yield [{ issuerKeyId: "${ISSUER}", serial: "0x22" + n.toString(16).padStart(8, "0"),
          credentialHash: "${hash("x")}", deviceKeyId: "${hash("y")}", place: undefined, notBefore: 1, notAfter: 2 }]
      }
    }
    await store.putAll(portions()).then(() => console.log("no error"), (error) => console.log(error.code))
    await store.close()`
}

describe("a serial map in PostgreSQL", () => {
  it("says so while the database is gone, and goes on when it is back", async () => {
    const own = await TestPostgres.start()
    try {
      const store = await openPostgresSerialStore(own.url, "the test's database")
      opened.push(store)
      const bare = entry(2, { place: undefined })
      await store.put([entry(1), bare])
      const during = store.putAll(
        (async function* () {
          yield [entry(3)]
          await own.down()
          yield [entry(4)]
        })(),
      )

      await expect(during).rejects.toThrow(SerialStoreUnusableError)
      await expect(store.get(ISSUER, bare.serial)).rejects.toThrow(/the test's database/)
      await expect(store.put([entry(5)])).rejects.toThrow(SerialStoreUnusableError)
      await own.up()

      expect(await store.get(ISSUER, bare.serial)).toEqual(bare)
      expect((await all(store)).map(({ serial }) => serial)).toEqual([entry(1).serial, bare.serial])
      await expect(openPostgresSerialStore("postgres://postgres:secret@127.0.0.1:1/x")).rejects.not.toThrow(/secret/)
    } finally {
      await own.remove()
    }
  })
})

describe("openSerialStore", () => {
  it("takes a file in the gateway's folder, or the database that is named", async () => {
    for (const database of [undefined, postgres.url]) {
      const store = await openSerialStore({ state: folder, database })
      opened.push(store)
      await store.put([entry(9, { issuerKeyId: hash("opened") })])
      expect(await store.get(hash("opened"), entry(9).serial)).toBeDefined()
    }
  })

  it("names a database without its password", () => {
    expect(databaseName("postgres://user:secret@db.test:5432/fleet?sslmode=require")).toBe(
      "postgres://db.test:5432/fleet",
    )
    expect(databaseName("host=/run user=secret")).toBe("the database")
  })
})
