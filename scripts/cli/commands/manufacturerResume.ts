import type { Command } from "commander"
import { assertKnown } from "../input/known.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions

/** `fleetroot manufacturer resume`. */
export function manufacturerResumeCommand(): Command {
  const command = newCommand(
    "resume",
    "end a manufacturer's suspension, as the consortium",
    "fleetroot manufacturer resume 2",
  ).argument("<id>", "manufacturer's id", uint32("the manufacturer's id"))
  return withSigner(command).action((id: number, options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "manufacturer resume", async (open) => {
        await assertKnown(open, id)
        const transaction = await open.governance().resume(id)
        return {
          json: { manufacturer: id, transaction: transactionJson(transaction) },
          text: () =>
            outcomeText(`manufacturer ${id} is active again`, `manufacturer ${id} is active already`, transaction),
        }
      }),
    ),
  )
}
