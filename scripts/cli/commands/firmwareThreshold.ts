import type { Command } from "commander"
import type { ReleaseThreshold } from "../../../client/index.ts"
import { FIRMWARE_OPTIONS } from "../firmware/options.ts"
import { openLedger } from "../openLedger.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

const MOST_SIGNATURES = 8

type Options = CommonOptions & SignerOptions & { manufacturer: number }

/** `fleetroot firmware threshold`: shows or sets how many signatures releases need. */
export function firmwareThresholdCommand(): Command {
  const command = newCommand(
    "threshold",
    "show how many signatures a release needs, or set it (fewer after the ledger's key delay)",
    "fleetroot firmware threshold 2 --manufacturer 2",
  )
    .argument("[count]", "1 to 8; default: show it", uint32("the threshold", 1, MOST_SIGNATURES))
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
  return withSigner(command).action((count: number | undefined, options: Options) =>
    runCommand(options.json, () => (count === undefined ? show(options) : set(options, count))),
  )
}

async function show(options: Options): Promise<Answer> {
  const { ledger } = await openLedger(options)
  const threshold = await (await ledger.at("latest")).releaseThreshold(options.manufacturer)
  return { json: toJson(options.manufacturer, threshold), text: () => toText(threshold) }
}

function set(options: Options, count: number): Promise<Answer> {
  return withWriter(options, "firmware threshold", async ({ client, ledger, rpc, writer }) => {
    const { manufacturer: manufacturerId } = options
    const firmware = new client.FirmwareClient({ ledger, rpc, writer, manufacturerId })
    const transaction = await firmware.setThreshold(count)
    const now = await firmware.threshold()
    return {
      json: { ...toJson(manufacturerId, now), transaction: transactionJson(transaction) },
      text: () => outcomeText(toText(now), `as it was: ${toText(now)}`, transaction),
    }
  })
}

function toJson(manufacturer: number, { current, pending }: ReleaseThreshold): Record<string, unknown> {
  const from = pending === undefined ? null : new Date(pending.from * 1000).toISOString()
  return {
    manufacturer,
    threshold: current,
    pending: pending === undefined ? null : { threshold: pending.threshold, from },
  }
}

function toText({ current, pending }: ReleaseThreshold): string {
  if (pending === undefined) return `${current}`
  return `${current}; ${pending.threshold} from ${new Date(pending.from * 1000).toISOString()} on`
}
