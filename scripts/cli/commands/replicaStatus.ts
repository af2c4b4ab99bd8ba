import type { Command } from "commander"
import type { ReplicaStatus } from "../../../client/index.ts"
import { EXIT } from "../cliError.ts"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { openReplica } from "../openReplica.ts"
import { newCommand } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { blockJson, blockText, evidenceJson } from "../output/replica.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = ReaderOptions & { dir: string }

/** `fleetroot replica status`: what a replica holds, without asking anybody. */
export function replicaStatusCommand(): Command {
  return withReader(
    newCommand(
      "status",
      "replay a replica, check it, and say how old it is; no node is asked",
      "fleetroot replica status --dir replica/",
    ),
  )
    .requiredOption("--dir <folder>", "where the replica lies")
    .action((options: Options) => runCommand(options.json, () => show(options)))
}

async function show(options: Options): Promise<Answer> {
  const open = await openReader(options)
  const replica = await openReplica(open, options, { dir: options.dir })
  try {
    const { status } = replica
    return {
      json: toJson(status),
      text: () => toText(status),
      exitCode: status.block === undefined ? EXIT.undecided : EXIT.good,
    }
  } finally {
    await replica.close()
  }
}

function toJson({ block, finalized, entries, lagSeconds, syncedAt, evidence }: ReplicaStatus): Record<string, unknown> {
  return {
    block: block === undefined ? null : blockJson(block),
    finalized: finalized === undefined ? null : blockJson(finalized),
    entries,
    lagSeconds: lagSeconds ?? null,
    syncedAt: syncedAt?.toISOString() ?? null,
    evidence: evidence === undefined ? null : evidenceJson(evidence),
  }
}

function toText({ block, finalized, entries, lagSeconds, syncedAt, evidence }: ReplicaStatus): string {
  if (block === undefined || finalized === undefined) {
    return "Nothing here was compared with the ledger yet: run `fleetroot replica sync`."
  }
  return [
    `The replica is at ${blockText(block)}, ${lagSeconds} s ago; final is ${blockText(finalized)}.`,
    `${entries} log entries, found to be the ledger's at ${syncedAt?.toISOString()}.`,
    printable(evidence?.detail ?? ""),
  ].join("\n")
}
