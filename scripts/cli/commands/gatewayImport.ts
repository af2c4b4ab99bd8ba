import type { Command } from "commander"
import { gatewaySettings, withGatewaySettings } from "../gateway/settings.ts"
import type { GatewayOptions } from "../gateway/settings.ts"
import { importSerials } from "../gateway/importSerials.ts"
import type { Imported } from "../gateway/importSerials.ts"
import { collect, openReceipts, RECEIPT_OPTIONS } from "../input/receiptSources.ts"
import type { ReceiptOptions } from "../input/receiptSources.ts"
import { openReader } from "../openReader.ts"
import { newCommand } from "../options/common.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = GatewayOptions & ReceiptOptions & { issuer?: string }

/** `fleetroot gateway import`: serial numbers that are no positions. */
export function gatewayImportCommand(): Command {
  const command = newCommand(
    "import",
    "teach the gateway certificates whose serial numbers are no positions: all of them, or none when one is wrong",
    "fleetroot gateway import certs/ --issuer ca.pem --receipts receipts/ --state gw/",
  )
    .argument("<path>", "folder of certificates, a PEM bundle, or a list (.csv, .ndjson) of serial numbers and hashes")
    .option(
      "--issuer <cert>",
      "their issuer's certificate; needed for lists, and where certificates do not name its key",
    )
    .option(...RECEIPT_OPTIONS.receipt)
    .option(...RECEIPT_OPTIONS.receipts)
    .option(...RECEIPT_OPTIONS.manifest, collect)
  return withGatewaySettings(command).action((path: string, options: Options) =>
    runCommand(options.json, () => importFrom(path, options)),
  )
}

async function importFrom(path: string, options: Options): Promise<Answer> {
  const config = await gatewaySettings(options)
  const { openSerialStore } = await import("../../../gateway/index.ts")
  const { mkdir } = await import("node:fs/promises")
  const open = await openReader({ ...options, deployment: config.deployment })
  const receipts = await openReceipts(open, options)
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  const store = await openSerialStore(config)
  const progress = startProgress("importing")
  try {
    const imported = await importSerials({ open, store, path, receipts, issuer: options.issuer, progress })
    return { json: imported, text: () => toText(imported) }
  } finally {
    progress.stop()
    await store.close()
    await receipts.close()
  }
}

function toText({ read, added, known, positions, placed, notPlaced }: Imported): string {
  const lines = [`${read} certificates read: ${added} new, ${known} known already, ${positions} need no import`]
  lines.push(`${placed} with a place that was proven on the ledger`)
  if (notPlaced > 0) {
    lines.push(
      `${notPlaced} without: they count only if they have a record of their own (give --receipts or --manifest for batches)`,
    )
  }
  return lines.join("\n")
}
