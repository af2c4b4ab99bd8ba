import { DatabaseSync } from "node:sqlite"
import type { StatementSync } from "node:sqlite"
import type { Deployment } from "../../client/index.ts"
import { EnrolmentStoreError, EnrolmentStoreForeignError } from "../errors/enrolment.ts"
import { enrolmentSchema, noteOlderKeys, SqlEnrolmentStore, storeScope } from "./enrolmentSql.ts"
import type { SqlDatabase, SqlQuery, SqlRow, SqlValue } from "./enrolmentSql.ts"
import type { EnrolmentStore } from "./enrolmentStore.ts"

/** Prepared statements that are kept: those of bulk inserts differ by their number of rows. */
const MOST_STATEMENTS = 64
/** SQLite's default. */
const PAGE_BYTES = 4_096

export type SqliteEnrolmentOptions = {
  readonly deployment: Deployment
  /** The most that the file may grow to; beyond that it is as if the disk were full. Default: what the disk has. */
  readonly maxBytes?: number
}

/**
 * Enrolments in a file, for gateways that share none. Every transaction is on the disk before it counts.
 *
 * @throws EnrolmentStoreError, EnrolmentStoreForeignError.
 */
export async function openSqliteEnrolmentStore(
  path: string,
  { deployment, maxBytes }: SqliteEnrolmentOptions,
): Promise<EnrolmentStore> {
  const database = attempt(path, () => {
    const opened = new DatabaseSync(path, { timeout: 10_000 })
    opened.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF")
    if (maxBytes !== undefined) opened.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`)
    return opened
  })
  const sql = new SqliteSql(path, database)
  try {
    const scope = storeScope(deployment)
    await sql.transaction(async (query) => {
      for (const statement of enrolmentSchema("BLOB")) await query(statement)
      await query("INSERT INTO est_meta (name, value) VALUES ('scope', ?) ON CONFLICT DO NOTHING", [scope])
      const [row] = await query("SELECT value FROM est_meta WHERE name = 'scope'")
      const found = String(row?.["value"])
      if (found !== scope) throw new EnrolmentStoreForeignError({ store: path, expected: scope, found })
      await noteOlderKeys(query)
    })
    return new SqlEnrolmentStore(sql)
  } catch (error) {
    await sql.close()
    throw error
  }
}

class SqliteSql implements SqlDatabase {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(path: string, database: DatabaseSync) {
    this.#path = path
    this.#database = database
  }

  // One connection has one transaction at a time, and its steps have pauses in between: each waits for its turn.
  transaction<T>(work: (query: SqlQuery) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.#rollBack()
      attempt(this.#path, () => {
        this.#database.exec("BEGIN IMMEDIATE")
      })
      try {
        const result = await work(async (statement, parameters) => this.#run(statement, parameters))
        attempt(this.#path, () => {
          this.#database.exec("COMMIT")
        })
        return result
      } catch (error) {
        this.#rollBack()
        throw error
      }
    })
  }

  readonly query: SqlQuery = (statement, parameters) => this.#inTurn(async () => this.#run(statement, parameters))

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined)
    if (this.#database.isOpen) this.#database.close()
  }

  /** Ends a transaction that failed. What went wrong before is what is told, whatever comes of this. */
  #rollBack(): void {
    // A full disk may have rolled back by itself.
    if (!this.#database.isTransaction) return
    try {
      this.#database.exec("ROLLBACK")
    } catch {
      // It is tried again before the next one begins, which is refused by name if this still fails.
    }
  }

  #run(statement: string, parameters: readonly SqlValue[] = []): SqlRow[] {
    return attempt(this.#path, () => this.#prepared(statement).all(...parameters) as unknown as SqlRow[])
  }

  #prepared(statement: string): StatementSync {
    const known = this.#statements.get(statement)
    if (known !== undefined) return known
    const prepared = this.#database.prepare(statement)
    this.#statements.set(statement, prepared)
    const [oldest] = this.#statements.keys()
    if (this.#statements.size > MOST_STATEMENTS && oldest !== undefined) this.#statements.delete(oldest)
    return prepared
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

/** SQLite's errors become ours; all others go through. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    const { code } = cause as { code?: unknown }
    if (code !== "ERR_SQLITE_ERROR" && code !== "ERR_INVALID_STATE") throw cause
    throw new EnrolmentStoreError({ store: path, reason: (cause as Error).message, cause })
  }
}
