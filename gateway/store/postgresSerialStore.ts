import { Pool } from "pg"
import type { PoolClient, QueryResult, QueryResultRow } from "pg"
import { FleetrootError, fromHex, type Hex } from "../../client/index.ts"
import { SerialStoreForeignError, SerialStoreUnusableError } from "../errors/gateway.ts"
import { entryOf, merged, rowOf } from "./rows.ts"
import type { SerialRow } from "./rows.ts"
import type { EntryPortions, SerialEntry, SerialStore } from "./serialMap.ts"

const VERSION = 1
const PAGE = 1_000
const INSERT_AT_ONCE = 1_000
/** Found entries with a place never change: they need not be asked for again. */
const REMEMBERED = 50_000
/** Any number that nobody else locks. */
const SCHEMA_LOCK = 0x4652_534d

const SCHEMA = `
  CREATE SCHEMA IF NOT EXISTS fleetroot;
  CREATE TABLE IF NOT EXISTS fleetroot.serial_version (version integer NOT NULL);
  CREATE TABLE IF NOT EXISTS fleetroot.serials (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer bytea NOT NULL, serial bytea NOT NULL, credential bytea NOT NULL, device bytea NOT NULL,
    manufacturer bigint, series bigint, place bigint,
    not_before bigint NOT NULL, not_after bigint NOT NULL, fingerprint bytea,
    UNIQUE (issuer, serial)
  );
  CREATE INDEX IF NOT EXISTS serials_credential ON fleetroot.serials (credential);
  CREATE INDEX IF NOT EXISTS serials_fingerprint ON fleetroot.serials (fingerprint) WHERE fingerprint IS NOT NULL;
`

type Stored = {
  number: string
  issuer: Buffer
  serial: Buffer
  credential: Buffer
  device: Buffer
  manufacturer: string | null
  series: string | null
  place: string | null
  not_before: string
  not_after: string
  fingerprint: Buffer | null
}

/**
 * A serial map in PostgreSQL, which many gateways share.
 *
 * @param url `postgres://user:password@host/database`; `name` stands for it in messages, for it may hold a password.
 * @throws SerialStoreUnusableError, SerialStoreForeignError.
 */
export async function openPostgresSerialStore(url: string, name = "postgres"): Promise<SerialStore> {
  const pool = new Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    query_timeout: 30_000,
    application_name: "fleetroot-gateway",
  })
  // A connection that breaks while nobody uses it is replaced by the next that is asked for.
  pool.on("error", () => undefined)
  const store = new PostgresSerialStore(pool, name)
  try {
    await store.prepare()
    return store
  } catch (error) {
    await pool.end()
    throw error
  }
}

class PostgresSerialStore implements SerialStore {
  readonly #pool: Pool
  readonly #name: string
  readonly #remembered = new Map<string, SerialEntry>()
  #closed: Promise<void> | undefined

  constructor(pool: Pool, name: string) {
    this.#pool = pool
    this.#name = name
  }

  /** Makes the tables that are not there. */
  async prepare(): Promise<void> {
    const version = await this.#transaction(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1)", [SCHEMA_LOCK])
      await client.query(SCHEMA)
      await client.query(
        "INSERT INTO fleetroot.serial_version SELECT $1 WHERE NOT EXISTS (SELECT FROM fleetroot.serial_version)",
        [VERSION],
      )
      const { rows } = await client.query<{ version: number }>("SELECT version FROM fleetroot.serial_version")
      return rows[0]?.version
    })
    if (version !== VERSION) throw new SerialStoreForeignError({ store: this.#name, found: `of version ${version}` })
  }

  put(entries: readonly SerialEntry[]): Promise<{ readonly added: number }> {
    return this.putAll([entries])
  }

  async putAll(portions: EntryPortions): Promise<{ readonly added: number }> {
    return this.#transaction(async (client) => {
      let added = 0
      for await (const entries of portions) {
        for (let first = 0; first < entries.length; first += INSERT_AT_ONCE) {
          added += await putSome(client, entries.slice(first, first + INSERT_AT_ONCE))
        }
      }
      return { added }
    })
  }

  async get(issuerKeyId: Hex, serial: Hex): Promise<SerialEntry | undefined> {
    const key = `${issuerKeyId}:${serial}`
    const remembered = this.#remembered.get(key)
    if (remembered !== undefined) return remembered
    const { rows } = await this.#query<Stored>("SELECT * FROM fleetroot.serials WHERE issuer = $1 AND serial = $2", [
      fromHex(issuerKeyId),
      fromHex(serial),
    ])
    const entry = rows[0] && entryOf(rowFrom(rows[0]))
    if (entry?.place !== undefined) this.#remember(key, entry)
    return entry
  }

  async find(hash: Hex): Promise<SerialEntry | undefined> {
    const { rows } = await this.#query<Stored>(
      "SELECT * FROM fleetroot.serials WHERE credential = $1 OR fingerprint = $1 ORDER BY number LIMIT 1",
      [fromHex(hash)],
    )
    return rows[0] && entryOf(rowFrom(rows[0]))
  }

  async *ofIssuer(issuerKeyId: Hex): AsyncGenerator<SerialEntry> {
    const issuer = fromHex(issuerKeyId)
    for (let after = "0"; ;) {
      const { rows } = await this.#query<Stored>(
        "SELECT * FROM fleetroot.serials WHERE issuer = $1 AND number > $2 ORDER BY number LIMIT $3",
        [issuer, after, PAGE],
      )
      for (const row of rows) yield entryOf(rowFrom(row))
      if (rows.length < PAGE) return
      after = rows.at(-1)?.number ?? after
    }
  }

  async count(): Promise<number> {
    const { rows } = await this.#query<{ n: string }>("SELECT count(*) AS n FROM fleetroot.serials", [])
    return Number(rows[0]?.n)
  }

  async close(): Promise<void> {
    this.#closed ??= this.#pool.end()
    await this.#closed
  }

  #remember(key: string, entry: SerialEntry): void {
    this.#remembered.set(key, entry)
    if (this.#remembered.size <= REMEMBERED) return
    const [oldest] = this.#remembered.keys()
    if (oldest !== undefined) this.#remembered.delete(oldest)
  }

  async #query<Row extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<Row>> {
    try {
      return await this.#pool.query<Row>(text, [...values])
    } catch (cause) {
      throw this.#unusable(cause)
    }
  }

  async #transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient
    try {
      client = await this.#pool.connect()
    } catch (cause) {
      throw this.#unusable(cause)
    }
    let broken: Error | undefined
    const onError = (error: Error): void => {
      broken = error
    }
    client.on("error", onError)
    try {
      await client.query("BEGIN")
      const result = await work(client)
      await client.query("COMMIT")
      return result
    } catch (error) {
      await client.query("ROLLBACK").catch((again: unknown) => {
        broken ??= again as Error
      })
      throw this.#unusable(error)
    } finally {
      client.off("error", onError)
      client.release(broken)
    }
  }

  /** What the database or the way to it says becomes ours; all other errors go through. */
  #unusable(cause: unknown): unknown {
    if (cause instanceof FleetrootError || !(cause instanceof Error)) return cause
    const { code, severity, syscall } = cause as { code?: unknown; severity?: unknown; syscall?: unknown }
    const ofDatabase =
      severity !== undefined || syscall !== undefined || /connect|terminated|timeout|pool/i.test(cause.message)
    if (!ofDatabase) return cause
    const reason = cause.message === "" ? String(code) : cause.message
    return new SerialStoreUnusableError({ store: this.#name, reason, cause })
  }
}

async function putSome(client: PoolClient, entries: readonly SerialEntry[]): Promise<number> {
  const byKey = new Map<string, SerialEntry>()
  for (const entry of entries) {
    const key = `${entry.issuerKeyId}:${entry.serial}`
    const twin = byKey.get(key)
    byKey.set(key, twin === undefined ? entry : (merged(twin, entry) ?? twin))
  }
  // In one order everywhere, so that two gateways that add the same wait for each other, and not both for ever.
  const sorted = [...byKey].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, entry]) => entry)
  const rows = sorted.map(rowOf)
  const column = <Name extends keyof SerialRow>(name: Name): SerialRow[Name][] => rows.map((row) => row[name])
  const inserted = await client.query(
    `INSERT INTO fleetroot.serials
       (issuer, serial, credential, device, manufacturer, series, place, not_before, not_after, fingerprint)
     SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[],
       $8::bigint[], $9::bigint[], $10::bytea[])
     ON CONFLICT (issuer, serial) DO NOTHING`,
    [
      buffers(column("issuer")),
      buffers(column("serial")),
      buffers(column("credential")),
      buffers(column("device")),
      column("manufacturer"),
      column("series"),
      column("place"),
      column("notBefore"),
      column("notAfter"),
      buffers(column("fingerprint")),
    ],
  )
  const added = inserted.rowCount ?? 0
  if (added < sorted.length) await mergeKnown(client, sorted)
  return added
}

/** Compares what was there with what is told, and fills in what was missing. */
async function mergeKnown(client: PoolClient, entries: readonly SerialEntry[]): Promise<void> {
  const rows = entries.map(rowOf)
  const { rows: known } = await client.query<Stored>(
    `SELECT serials.* FROM unnest($1::bytea[], $2::bytea[]) AS told (issuer, serial)
     JOIN fleetroot.serials USING (issuer, serial) ORDER BY number FOR UPDATE OF serials`,
    [buffers(rows.map(({ issuer }) => issuer)), buffers(rows.map(({ serial }) => serial))],
  )
  const told = new Map(entries.map((entry) => [`${entry.issuerKeyId}:${entry.serial}`, entry]))
  for (const stored of known) {
    const before = entryOf(rowFrom(stored))
    const now = told.get(`${before.issuerKeyId}:${before.serial}`)
    const better = now && merged(before, now)
    if (better === undefined) continue
    const { manufacturer, series, place, fingerprint } = rowOf(better)
    await client.query(
      "UPDATE fleetroot.serials SET manufacturer = $2, series = $3, place = $4, fingerprint = $5 WHERE number = $1",
      [stored.number, manufacturer, series, place, fingerprint],
    )
  }
}

function buffers(values: readonly (Uint8Array | null)[]): (Buffer | null)[] {
  return values.map((value) => (value === null ? null : Buffer.from(value)))
}

function rowFrom(stored: Stored): SerialRow {
  const number = (text: string | null): number | null => (text === null ? null : Number(text))
  const { issuer, serial, credential, device, fingerprint } = stored
  return {
    issuer: new Uint8Array(issuer),
    serial: new Uint8Array(serial),
    credential: new Uint8Array(credential),
    device: new Uint8Array(device),
    manufacturer: number(stored.manufacturer),
    series: number(stored.series),
    place: number(stored.place),
    notBefore: Number(stored.not_before),
    notAfter: Number(stored.not_after),
    fingerprint: fingerprint === null ? null : new Uint8Array(fingerprint),
  }
}
