import { Pool } from "pg"
import type { PoolClient } from "pg"
import { FleetrootError, type Deployment } from "../../client/index.ts"
import { EnrolmentStoreError, EnrolmentStoreForeignError } from "../errors/enrolment.ts"
import { enrolmentSchema, noteOlderKeys, SqlEnrolmentStore, storeScope } from "./enrolmentSql.ts"
import type { SqlDatabase, SqlQuery, SqlRow, SqlValue } from "./enrolmentSql.ts"
import type { EnrolmentStore } from "./enrolmentStore.ts"

/** Any number that nobody else locks. */
const SCHEMA_LOCK = 0x4652_4553

/**
 * Enrolments in PostgreSQL, which many gateways share.
 *
 * @param url `postgres://user:password@host/database`; `name` stands for it in messages, for it may hold a password.
 * @throws EnrolmentStoreError, EnrolmentStoreForeignError.
 */
export async function openPostgresEnrolmentStore(
  url: string,
  { deployment, name = "postgres" }: { readonly deployment: Deployment; readonly name?: string },
): Promise<EnrolmentStore> {
  const pool = new Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    query_timeout: 30_000,
    application_name: "fleetroot-gateway",
    options: "-c search_path=fleetroot",
  })
  // A connection that breaks while nobody uses it is replaced by the next that is asked for.
  pool.on("error", () => undefined)
  const sql = new PostgresSql(pool, name)
  try {
    const scope = storeScope(deployment)
    await sql.transaction(async (query) => {
      // Two gateways may make the tables at the same time.
      await query("SELECT pg_advisory_xact_lock(?)", [SCHEMA_LOCK])
      await query("CREATE SCHEMA IF NOT EXISTS fleetroot")
      for (const statement of enrolmentSchema("BYTEA")) await query(statement)
      await query("INSERT INTO est_meta (name, value) VALUES ('scope', ?) ON CONFLICT DO NOTHING", [scope])
      const [row] = await query("SELECT value FROM est_meta WHERE name = 'scope'")
      const found = String(row?.["value"])
      if (found !== scope) throw new EnrolmentStoreForeignError({ store: name, expected: scope, found })
      await noteOlderKeys(query)
    })
    return new SqlEnrolmentStore(sql)
  } catch (error) {
    await sql.close()
    throw error
  }
}

class PostgresSql implements SqlDatabase {
  readonly #pool: Pool
  readonly #name: string
  #closed: Promise<void> | undefined

  constructor(pool: Pool, name: string) {
    this.#pool = pool
    this.#name = name
  }

  async transaction<T>(work: (query: SqlQuery) => Promise<T>): Promise<T> {
    let client: PoolClient
    try {
      client = await this.#pool.connect()
    } catch (cause) {
      throw this.#ours(cause)
    }
    let broken: Error | undefined
    const onError = (error: Error): void => {
      broken = error
    }
    client.on("error", onError)
    try {
      await client.query("BEGIN")
      const result = await work((statement, parameters) => run(client, statement, parameters))
      await client.query("COMMIT")
      return result
    } catch (error) {
      await client.query("ROLLBACK").catch((again: unknown) => {
        broken ??= again as Error
      })
      throw this.#ours(error)
    } finally {
      client.off("error", onError)
      client.release(broken)
    }
  }

  readonly query: SqlQuery = async (statement, parameters) => {
    try {
      return await run(this.#pool, statement, parameters)
    } catch (cause) {
      throw this.#ours(cause)
    }
  }

  async close(): Promise<void> {
    this.#closed ??= this.#pool.end()
    await this.#closed
  }

  /** What the database or the way to it says becomes ours; all other errors go through. */
  #ours(cause: unknown): unknown {
    if (cause instanceof FleetrootError || !(cause instanceof Error)) return cause
    const { code, severity, syscall } = cause as { code?: unknown; severity?: unknown; syscall?: unknown }
    const ofDatabase =
      severity !== undefined || syscall !== undefined || /connect|terminated|timeout|pool/i.test(cause.message)
    if (!ofDatabase) return cause
    const reason = cause.message === "" ? String(code) : cause.message
    return new EnrolmentStoreError({ store: this.#name, reason, cause })
  }
}

async function run(
  client: Pick<PoolClient, "query">,
  statement: string,
  parameters: readonly SqlValue[] = [],
): Promise<SqlRow[]> {
  let number = 0
  const numbered = statement.replaceAll("?", () => `$${++number}`)
  const values = parameters.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value))
  const { rows } = await client.query<Record<string, SqlValue>>(numbered, values)
  return rows
}
