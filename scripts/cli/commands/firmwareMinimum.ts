import type { Command } from "commander"
import { FIRMWARE_OPTIONS, securityVersion } from "../firmware/options.ts"
import { openLedger } from "../openLedger.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { manufacturer: number; product: string }

/** `fleetroot firmware minimum`: shows or raises the oldest security version that may be installed. */
export function firmwareMinimumCommand(): Command {
  const command = newCommand(
    "minimum",
    "show the oldest security version that may be installed, or raise it for ever",
    "fleetroot firmware minimum 7 --manufacturer 2 --product acme-9271",
  )
    .argument("[version]", "raise it to this; default: show it", securityVersion("the minimum"))
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
    .requiredOption(...FIRMWARE_OPTIONS.product)
  return withSigner(command).action((version: number | undefined, options: Options) =>
    runCommand(options.json, () => (version === undefined ? show(options) : raise(options, version))),
  )
}

async function show(options: Options): Promise<Answer> {
  const { client, ledger } = await openLedger(options)
  const { manufacturer, product } = options
  const view = await ledger.at("latest")
  const minimum = await view.minimumSecurityVersion(manufacturer, client.productId(product))
  return { json: { manufacturer, product, minimum }, text: () => String(minimum) }
}

function raise(options: Options, minimum: number): Promise<Answer> {
  return withWriter(options, "firmware minimum", async ({ client, ledger, rpc, writer }) => {
    const { manufacturer, product } = options
    const firmware = new client.FirmwareClient({ ledger, rpc, writer, manufacturerId: manufacturer })
    const transaction = await firmware.raiseMinimum(product, minimum)
    const now = await firmware.minimum(product)
    return {
      json: { manufacturer, product, minimum: now, transaction: transactionJson(transaction) },
      text: () => outcomeText(`the minimum is ${now} now`, `the minimum is ${now} already`, transaction),
    }
  })
}
