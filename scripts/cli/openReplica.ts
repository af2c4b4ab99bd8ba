import { existsSync } from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Replica, SyncReport } from "../../client/index.ts"
import { UsageError } from "./cliError.ts"
import type { OpenLedger } from "./openLedger.ts"
import type { ReaderOptions } from "./openReader.ts"
import { printable } from "./output/printable.ts"
import { startProgress } from "./output/progress.ts"

export type OpenReplicaOptions = {
  /** The folder that it lies in. */
  dir: string
  /** Whether a new one may begin there. */
  create?: boolean
  /** Whether to throw away what is there first. */
  rebuild?: boolean
}

const FILE = "replica.sqlite"

/**
 * Opens the replica in a folder. Logs are read from all nodes in turn until one of them does; what is believed about heads is what
 * the reader's options say. Nothing is asked of the nodes yet.
 */
export async function openReplica(
  { client, node, deployment, ledger, rpc }: OpenLedger,
  { rpc: urls = [], timeout }: ReaderOptions,
  { dir, create = false, rebuild = false }: OpenReplicaOptions,
): Promise<Replica> {
  const path = join(dir, FILE)
  if (!create && !existsSync(path)) {
    throw new UsageError(`There is no replica in ${printable(dir)}.`, {
      hint: `Make one: fleetroot replica sync --dir ${printable(dir)}`,
    })
  }
  if (create) await mkdir(dir, { recursive: true })
  if (rebuild) await Promise.all(["", "-wal", "-shm"].map((ending) => rm(`${path}${ending}`, { force: true })))
  const store = await node.openSqliteReplicaStore(path)
  try {
    const rpcs = urls.length > 1 ? urls.map((url) => client.httpRpc(url, { timeoutMs: timeout * 1000 })) : rpc
    return await client.Replica.open({ deployment, rpc: rpcs, store, trust: ledger })
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Brings a replica up to date, telling how far it is where somebody looks. */
export async function syncReplica(replica: Replica, signal?: AbortSignal): Promise<SyncReport> {
  const progress = startProgress("reading blocks")
  try {
    return await replica.sync({
      ...(signal === undefined ? {} : { signal }),
      onProgress: ({ block, toBlock }) => {
        progress.update(block, toBlock)
      },
    })
  } finally {
    progress.stop()
  }
}
