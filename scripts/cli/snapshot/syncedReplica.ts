import type { Replica } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"
import type { ReaderOptions } from "../openReader.ts"
import { openReplica, syncReplica } from "../openReplica.ts"

/** A replica of the whole ledger as it stands now: the one in `dir`, or one in memory. The caller closes it. */
export async function syncedReplica(open: OpenLedger, options: ReaderOptions & { dir?: string }): Promise<Replica> {
  const { client, deployment, rpc, ledger } = open
  const replica =
    options.dir === undefined
      ? await client.Replica.open({ deployment, rpc, store: client.memoryStore(), trust: ledger })
      : await openReplica(open, options, { dir: options.dir })
  try {
    await syncReplica(replica)
    return replica
  } catch (error) {
    await replica.close()
    throw error
  }
}
