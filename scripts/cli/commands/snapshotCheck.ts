import type { Command } from "commander"
import type { Snapshot, SnapshotCheck } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import { columns } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import { barredText, describeSnapshot } from "../snapshot/describeSnapshot.ts"
import { readSnapshotFile } from "../snapshot/readSnapshotFile.ts"
import { syncedReplica } from "../snapshot/syncedReplica.ts"

type Options = ReaderOptions & { dir?: string; statements?: boolean; headsOnly?: boolean }

const MEANING: Record<SnapshotCheck["compared"], string> = {
  everything: "it is what the whole log of the ledger leads to",
  statements: "the ledger confirms all that it says; what it leaves out was not looked for",
  heads: "it names the right log heads; the sets of places were not compared",
}

/** `fleetroot snapshot check`: whether a snapshot is what the ledger says. */
export function snapshotCheckCommand(): Command {
  return withReader(
    newCommand(
      "check",
      "compare a snapshot with the ledger: replayed whole, or as far as the options say",
      "fleetroot snapshot check s.bin",
    ),
  )
    .argument("<file>", "the snapshot")
    .option("--dir <folder>", "replica to compare with, brought up to date first; else the ledger is read anew")
    .option("--statements", "replay nothing: ask for each word and record that the snapshot speaks of")
    .option("--heads-only", "compare the block and the log heads only")
    .action((file: string, options: Options) =>
      runCommand(options.json, async () => {
        if ([options.dir !== undefined, options.statements, options.headsOnly].filter(Boolean).length > 1) {
          throw new UsageError("Give one of --dir, --statements and --heads-only.")
        }
        const open = await openReader(options)
        const snapshot = await readSnapshotFile(open, file)
        const check = await checkAs(open, snapshot, options)
        const json = {
          file,
          compared: check.compared,
          current: check.behind === 0,
          entriesSince: check.behind,
          checkedAtBlock: check.checkedAt.number,
          blockConfirmed: check.blockConfirmed,
          evidence: check.evidence,
          ...describeSnapshot(snapshot),
        }
        return { json, text: () => textOf(snapshot, check) }
      }),
    )
}

async function checkAs(open: OpenLedger, snapshot: Snapshot, options: Options): Promise<SnapshotCheck> {
  const { client, ledger } = open
  const progress = startProgress("comparing")
  const onProgress = (done: number, total: number): void => {
    progress.update(done, total)
  }
  try {
    if (options.headsOnly === true) return await client.checkSnapshot(snapshot, ledger, { headsOnly: true })
    if (options.statements === true) return await client.checkSnapshot(snapshot, ledger, { onProgress })

    const replica = await syncedReplica(open, options)
    try {
      const check = await client.checkSnapshot(snapshot, replica, { onProgress })
      if (check.blockConfirmed) return check
      // Of blocks without entries a replica does not know the hash.
      const { blockConfirmed } = await client.checkSnapshot(snapshot, ledger, { headsOnly: true })
      return { ...check, blockConfirmed }
    } finally {
      await replica.close()
    }
  } finally {
    progress.stop()
  }
}

function textOf(snapshot: Snapshot, { compared, behind, checkedAt, blockConfirmed, evidence }: SnapshotCheck): string {
  const description = describeSnapshot(snapshot)
  const { block, devices } = description
  const known = blockConfirmed ? "" : "; that this is its block the ledger could not confirm"
  return columns([
    ["compared:", `${compared}: ${MEANING[compared]}`],
    ["block:", `${block.number} of ${block.time}${known}`],
    ["compared at:", `block ${checkedAt.number}`],
    ["since then:", behind === 0 ? "nothing changed" : `${behind} log entries: it holds for its block, not for now`],
    ["barred:", `${barredText(description)}, of ${devices} devices`],
    ["evidence:", evidence.detail],
  ])
}
