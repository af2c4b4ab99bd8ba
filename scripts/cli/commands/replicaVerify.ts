import type { Command } from "commander"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { openReplica, syncReplica } from "../openReplica.ts"
import { newCommand } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { blockJson, blockText, evidenceJson } from "../output/replica.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = ReaderOptions & { dir: string }

/** `fleetroot replica verify`: recompute everything from the file and compare each log with the ledger. */
export function replicaVerifyCommand(): Command {
  return withReader(
    newCommand(
      "verify",
      "sync, replay the file anew, and compare every manufacturer's log with the ledger",
      "fleetroot replica verify --dir replica/ --proof",
    ),
  )
    .requiredOption("--dir <folder>", "where the replica lies")
    .action((options: Options) => runCommand(options.json, () => verify(options)))
}

async function verify(options: Options): Promise<Answer> {
  const open = await openReader(options)
  const replica = await openReplica(open, options, { dir: options.dir })
  try {
    await syncReplica(replica)
    const { block, entries, logs, evidence } = await replica.verify()
    return {
      json: { block: blockJson(block), entries, logs, evidence: evidenceJson(evidence) },
      text: () =>
        [
          `Every log is the ledger's at ${blockText(block)}: ${entries} entries in ${logs} logs.`,
          printable(evidence.detail),
        ].join("\n"),
    }
  } finally {
    await replica.close()
  }
}
