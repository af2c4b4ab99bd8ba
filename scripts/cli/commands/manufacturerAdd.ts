import type { Command } from "commander"
import { parseAddress } from "../input/address.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { transactionJson, transactionText } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { name: string; controller?: string; metadata?: string }

/** `fleetroot manufacturer add`: the consortium admits a manufacturer. */
export function manufacturerAddCommand(): Command {
  const command = newCommand(
    "add",
    "admit a manufacturer, as the consortium; prints its id",
    'fleetroot manufacturer add --name "Bar Works"',
  )
    .requiredOption("--name <name>", "its name, for people; it cannot be changed")
    .option("--controller <address>", "account that acts for it; default: the account that signs")
    .option("--metadata <uri>", "where more about it is written", "")
  return withSigner(command).action((options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "manufacturer add", async (open) => {
        const given = options.controller
        const controller = given === undefined ? open.writer.address : await parseAddress(given, "--controller")
        const { name, metadata: metadataURI = "" } = options
        const result = await open.governance().admit({ controller, name, metadataURI })
        const common = { state: result.state, name, controller, transaction: transactionJson(result.transaction) }
        const paid = result.transaction === null ? "" : `\n${transactionText(result.transaction)}`
        if (result.state === "admitted") {
          return {
            json: { manufacturer: result.manufacturerId, ...common },
            text: () =>
              `admitted manufacturer ${result.manufacturerId} "${printable(name)}", controller ${controller}${paid}`,
          }
        }
        const dueAt = result.dueAt.toISOString()
        return {
          json: { manufacturer: null, ...common, dueAt },
          text: () => `scheduled; run the same command again from ${dueAt} on${paid}`,
        }
      }),
    ),
  )
}
