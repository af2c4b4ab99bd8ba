import type { Command } from "commander"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { newCommand } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { columns, printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import { barredText, describeSnapshot } from "../snapshot/describeSnapshot.ts"
import { syncedReplica } from "../snapshot/syncedReplica.ts"

type Options = ReaderOptions & { out: string; manufacturer?: number; dir?: string; final?: boolean }

/** `fleetroot snapshot make`: the status of a manufacturer's devices, or of all, at one block, in a file. */
export function snapshotMakeCommand(): Command {
  return withReader(
    newCommand(
      "make",
      "write the status of all devices at one block to a file",
      "fleetroot snapshot make --out s.bin --manufacturer 2",
    ),
  )
    .requiredOption("--out <file>", "where to write it")
    .option("--manufacturer <id>", "of this manufacturer only", uint32("--manufacturer"))
    .option("--dir <folder>", "replica to make it from, brought up to date first; else the ledger is read anew")
    .option("--final", "of the newest final block, which stays; else of the newest")
    .action((options: Options) =>
      runCommand(options.json, async () => {
        const open = await openReader(options)
        const { client, node, deployment } = open
        const replica = await syncedReplica(open, options)
        try {
          const state = options.final === true ? replica.settled : replica.head
          const { manufacturer: manufacturerId } = options
          const scope = manufacturerId === undefined ? {} : { manufacturerId }
          const snapshot = client.makeSnapshot(state, deployment, scope)
          const bytes = client.encodeSnapshot(snapshot)
          await node.writeFileAtomic(options.out, bytes)
          const json = { file: options.out, bytes: bytes.length, ...describeSnapshot(snapshot) }
          return {
            json,
            text: () =>
              columns([
                ["file:", `${printable(options.out)}, ${bytes.length} bytes`],
                ["block:", `${json.block.number} of ${json.block.time}`],
                ["devices:", `${json.devices} in ${json.batches} batches of ${json.manufacturers} manufacturers`],
                ["barred:", barredText(json)],
              ]),
          }
        } finally {
          await replica.close()
        }
      }),
    )
}
