import type { Command } from "commander"
import { assertKnown } from "../input/known.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { confirm?: boolean }

/** `fleetroot manufacturer suspend`. */
export function manufacturerSuspendCommand(): Command {
  const command = newCommand(
    "suspend",
    "suspend a manufacturer at once, as a guardian: nothing of it is good; lapses after 14 days unless confirmed",
    "fleetroot manufacturer suspend 2",
  )
    .argument("<id>", "manufacturer's id", uint32("the manufacturer's id"))
    .option("--confirm", "as the consortium: make a suspension last until it is ended")
  return withSigner(command).action((id: number, options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "manufacturer suspend", async (open) => {
        await assertKnown(open, id)
        const governance = open.governance()
        const transaction = await (options.confirm === true ? governance.confirmSuspension(id) : governance.suspend(id))
        return {
          json: { manufacturer: id, transaction: transactionJson(transaction) },
          text: () =>
            outcomeText(`manufacturer ${id} is suspended`, `manufacturer ${id} is suspended already`, transaction),
        }
      }),
    ),
  )
}
