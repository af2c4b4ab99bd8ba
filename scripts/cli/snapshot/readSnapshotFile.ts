import type { Snapshot } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"

const MAX_BYTES = 64 * 2 ** 20

/** Reads a snapshot from a file. @throws InputPathError, FleetFileError, SnapshotMalformedError's children */
export async function readSnapshotFile(
  { client, node }: Pick<OpenLedger, "client" | "node">,
  path: string,
): Promise<Snapshot> {
  return client.readSnapshot(await node.readRegularFile(path, { maximumBytes: MAX_BYTES }))
}
