import { stat } from "node:fs/promises"
import { join } from "node:path"
import { deploymentName } from "../../client/node/index.ts"
import type { Deployment } from "../../client/index.ts"
import type { EnrolmentStore } from "./enrolmentStore.ts"
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

/** Where enrolments are kept: beside the serial numbers. */
export async function openEnrolmentStore({
  state,
  database,
  deployment,
}: {
  readonly state: string
  readonly database?: string | undefined
  readonly deployment: Deployment
}): Promise<EnrolmentStore> {
  if (database === undefined) {
    const { openSqliteEnrolmentStore } = await import("./enrolmentSqlite.ts")
    return openSqliteEnrolmentStore(enrolmentFile({ state, deployment }), { deployment })
  }
  const { openPostgresEnrolmentStore } = await import("./enrolmentPostgres.ts")
  return openPostgresEnrolmentStore(database, { deployment, name: databaseName(database) })
}

/** The enrolments that there are: undefined where nobody enrolled anything yet. @throws as {@link openEnrolmentStore} does. */
export async function openKnownEnrolments(
  where: Parameters<typeof openEnrolmentStore>[0],
): Promise<EnrolmentStore | undefined> {
  if (where.database !== undefined) return openEnrolmentStore(where)
  try {
    await stat(enrolmentFile(where))
  } catch (error) {
    // Whatever else bars the way to it, it may be there.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
  }
  return openEnrolmentStore(where)
}

function enrolmentFile({ state, deployment }: { readonly state: string; readonly deployment: Deployment }): string {
  return join(state, `enrolments-${deploymentName(deployment)}.sqlite`)
}

/** A database's address without user and password. */
export function databaseName(url: string): string {
  if (!URL.canParse(url)) return "the database"
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
