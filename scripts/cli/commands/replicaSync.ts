import type { Command } from "commander"
import type { SyncReport } from "../../../client/index.ts"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { openReplica, syncReplica } from "../openReplica.ts"
import { newCommand } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { blockJson, blockText, evidenceJson } from "../output/replica.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = ReaderOptions & { dir: string; rebuild?: boolean }

/** `fleetroot replica sync`: bring a local copy of the ledger up to date, and compare it. */
export function replicaSyncCommand(): Command {
  return withReader(
    newCommand(
      "sync",
      "bring a local copy of the ledger up to date and compare its log with the ledger's",
      "fleetroot replica sync --dir replica/",
    ),
  )
    .requiredOption("--dir <folder>", "where the replica lies; made when it is not there")
    .option("--rebuild", "throw away what is there and read everything anew")
    .action((options: Options) => runCommand(options.json, () => sync(options)))
}

async function sync(options: Options): Promise<Answer> {
  const open = await openReader(options)
  const { dir, rebuild = false } = options
  const replica = await openReplica(open, options, { dir, create: true, rebuild })
  try {
    const report = await syncReplica(replica)
    return { json: toJson(report), text: () => toText(report) }
  } finally {
    await replica.close()
  }
}

function toJson({ block, finalized, entries, added, undone, evidence }: SyncReport): Record<string, unknown> {
  return {
    block: blockJson(block),
    finalized: blockJson(finalized),
    entries,
    added,
    undone,
    evidence: evidenceJson(evidence),
  }
}

function toText({ block, finalized, entries, added, undone, evidence }: SyncReport): string {
  const gone = undone === 0 ? "" : `, ${undone} taken back`
  return [
    `The replica is at ${blockText(block)}; final is ${blockText(finalized)}.`,
    `${entries} log entries: ${added} new${gone}. They are the ledger's.`,
    printable(evidence.detail),
  ].join("\n")
}
