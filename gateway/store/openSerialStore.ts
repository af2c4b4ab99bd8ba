import { join } from "node:path"
import type { SerialStore } from "./serialMap.ts"

/** Where the gateway keeps what the ledger does not: PostgreSQL when there is an address, else a file in its folder. */
export async function openSerialStore({
  state,
  database,
}: {
  /** The gateway's folder. */
  readonly state: string
  /** `postgres://…`; undefined for a file. */
  readonly database?: string | undefined
}): Promise<SerialStore> {
  if (database === undefined) {
    const { openSqliteSerialStore } = await import("./sqliteSerialStore.ts")
    return openSqliteSerialStore(join(state, "serials.sqlite"))
  }
  const { openPostgresSerialStore } = await import("./postgresSerialStore.ts")
  return openPostgresSerialStore(database, databaseName(database))
}

/** A database's address without user and password. */
export function databaseName(url: string): string {
  if (!URL.canParse(url)) return "the database"
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
