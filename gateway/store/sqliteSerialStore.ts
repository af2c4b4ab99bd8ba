import { DatabaseSync } from "node:sqlite"
import type { StatementSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { fromHex, type Hex } from "../../client/index.ts"
import { SerialStoreForeignError, SerialStoreUnusableError } from "../errors/gateway.ts"
import { entryOf, merged, rowOf } from "./rows.ts"
import type { SerialRow } from "./rows.ts"
import type { EntryPortions, SerialEntry, SerialStore } from "./serialMap.ts"

/** "FRSM", so that a database of something else is not taken for one of ours. */
const APPLICATION_ID = 0x4652_534d
const VERSION = 1
const PAGE = 1_000
const SQLITE_BUSY = 5
/** An import of a million certificates takes less. */
const LONGEST_WAIT_MS = 120_000

const SCHEMA = `
  CREATE TABLE serials (
    number INTEGER PRIMARY KEY,
    issuer BLOB NOT NULL, serial BLOB NOT NULL, credential BLOB NOT NULL, device BLOB NOT NULL,
    manufacturer INTEGER, series INTEGER, place INTEGER,
    notBefore INTEGER NOT NULL, notAfter INTEGER NOT NULL, fingerprint BLOB,
    UNIQUE (issuer, serial)
  ) STRICT;
  CREATE INDEX serials_credential ON serials (credential);
  CREATE INDEX serials_fingerprint ON serials (fingerprint) WHERE fingerprint IS NOT NULL;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
`

/**
 * A serial map in a file, which several processes may read while one adds to it.
 *
 * @throws SerialStoreUnusableError, SerialStoreForeignError.
 */
export function openSqliteSerialStore(path: string): SerialStore {
  return attempt(path, () => {
    const database = new DatabaseSync(path, { timeout: 10_000 })
    try {
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;")
      prepareSchema(path, database)
      database.exec("PRAGMA busy_timeout = 20")
      return new SqliteSerialStore(path, database)
    } catch (error) {
      database.close()
      throw error
    }
  })
}

function prepareSchema(path: string, database: DatabaseSync): void {
  const pragma = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
  // Two processes may make it at the same time.
  database.exec("BEGIN IMMEDIATE")
  try {
    const [application, version] = [pragma("application_id"), pragma("user_version")]
    const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]
    if (application === 0 && version === 0 && tables === 0) database.exec(SCHEMA)
    else if (application !== APPLICATION_ID) throw new SerialStoreForeignError({ store: path, found: "something else" })
    else if (version !== VERSION) throw new SerialStoreForeignError({ store: path, found: `of version ${version}` })
    database.exec("COMMIT")
  } catch (error) {
    database.exec("ROLLBACK")
    throw error
  }
}

class SqliteSerialStore implements SerialStore {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #bySerial: StatementSync
  readonly #byHash: StatementSync
  readonly #page: StatementSync
  readonly #insert: StatementSync
  readonly #update: StatementSync
  /** Additions take turns: they share one connection. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, database: DatabaseSync) {
    this.#path = path
    this.#database = database
    this.#bySerial = database.prepare("SELECT * FROM serials WHERE issuer = ? AND serial = ?")
    this.#byHash = database.prepare(
      "SELECT * FROM serials WHERE credential = :hash OR fingerprint = :hash ORDER BY number LIMIT 1",
    )
    this.#page = database.prepare("SELECT * FROM serials WHERE issuer = ? AND number > ? ORDER BY number LIMIT ?")
    this.#insert = database.prepare(
      `INSERT INTO serials (issuer, serial, credential, device, manufacturer, series, place, notBefore, notAfter, fingerprint)
       VALUES (:issuer, :serial, :credential, :device, :manufacturer, :series, :place, :notBefore, :notAfter, :fingerprint)`,
    )
    this.#update = database.prepare(
      `UPDATE serials SET manufacturer = :manufacturer, series = :series, place = :place, fingerprint = :fingerprint
       WHERE issuer = :issuer AND serial = :serial`,
    )
  }

  put(entries: readonly SerialEntry[]): Promise<{ readonly added: number }> {
    return this.putAll([entries])
  }

  putAll(portions: EntryPortions): Promise<{ readonly added: number }> {
    const turn = this.#turn.then(() => this.#putAll(portions))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async get(issuerKeyId: Hex, serial: Hex): Promise<SerialEntry | undefined> {
    return this.#try(() => this.#known(fromHex(issuerKeyId), fromHex(serial)))
  }

  async find(hash: Hex): Promise<SerialEntry | undefined> {
    const row = this.#try(() => this.#byHash.get({ hash: fromHex(hash) }))
    return row === undefined ? undefined : entryOf(row as unknown as SerialRow)
  }

  async *ofIssuer(issuerKeyId: Hex): AsyncGenerator<SerialEntry> {
    const issuer = fromHex(issuerKeyId)
    for (let after = 0; ;) {
      const rows = this.#try(() => this.#page.all(issuer, after, PAGE))
      for (const row of rows) yield entryOf(row as unknown as SerialRow)
      if (rows.length < PAGE) return
      after = Number(rows.at(-1)?.["number"])
    }
  }

  async count(): Promise<number> {
    return this.#try(() => Number(this.#database.prepare("SELECT count(*) AS n FROM serials").get()?.["n"]))
  }

  async close(): Promise<void> {
    await this.#turn
    if (this.#database.isOpen) this.#database.close()
  }

  async #putAll(portions: EntryPortions): Promise<{ readonly added: number }> {
    let added = 0
    await this.#begin()
    try {
      for await (const entries of portions) {
        this.#try(() => {
          for (const entry of entries) added += this.#put(entry)
        })
      }
      this.#try(() => {
        this.#database.exec("COMMIT")
      })
    } catch (error) {
      // A full disk may have rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
      throw error
    }
    return { added }
  }

  /** Another process may be adding: that is waited for, without holding up this one. */
  async #begin(): Promise<void> {
    for (const giveUpAt = performance.now() + LONGEST_WAIT_MS; ;) {
      try {
        this.#database.exec("BEGIN IMMEDIATE")
        return
      } catch (cause) {
        const busy = (cause as { errcode?: unknown }).errcode === SQLITE_BUSY
        if (!busy || performance.now() > giveUpAt) attempt(this.#path, () => rethrow(cause))
      }
      await sleep(20)
    }
  }

  #put(entry: SerialEntry): 0 | 1 {
    const row = rowOf(entry)
    const known = this.#known(row.issuer, row.serial)
    if (known === undefined) {
      this.#insert.run(row)
      return 1
    }
    const better = merged(known, entry)
    if (better !== undefined) {
      const { issuer, serial, manufacturer, series, place, fingerprint } = rowOf(better)
      this.#update.run({ issuer, serial, manufacturer, series, place, fingerprint })
    }
    return 0
  }

  #known(issuer: Uint8Array, serial: Uint8Array): SerialEntry | undefined {
    const row = this.#bySerial.get(issuer, serial)
    return row === undefined ? undefined : entryOf(row as unknown as SerialRow)
  }

  #try<T>(work: () => T): T {
    return attempt(this.#path, work)
  }
}

function rethrow(cause: unknown): never {
  throw cause
}

/** SQLite's errors become ours; all others go through. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code !== "ERR_SQLITE_ERROR" && code !== "ERR_INVALID_STATE") throw cause
    throw new SerialStoreUnusableError({ store: path, reason: (cause as Error).message, cause })
  }
}
