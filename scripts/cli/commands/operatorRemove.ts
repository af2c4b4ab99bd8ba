import type { Command } from "commander"
import { parseAddress } from "../input/address.ts"
import { assertKnown } from "../input/known.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

/** `fleetroot operator remove`: an account loses its rights. */
export function operatorRemoveCommand(): Command {
  const command = newCommand(
    "remove",
    "take an account's rights away",
    "fleetroot operator remove 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --manufacturer 2",
  )
    .argument("<address>", "the account")
    .requiredOption("--manufacturer <id>", "for whom it acted", uint32("--manufacturer"))
  return withSigner(command).action(
    (given: string, options: CommonOptions & SignerOptions & { manufacturer: number }) =>
      runCommand(options.json, () =>
        withWriter(options, "operator remove", async (open) => {
          const operator = await parseAddress(given, "the operator")
          await assertKnown(open, options.manufacturer)
          const transaction = await open.manufacturer(options.manufacturer).removeOperator(operator)
          return {
            json: { manufacturer: options.manufacturer, operator, transaction: transactionJson(transaction) },
            text: () =>
              outcomeText(
                `${operator} acts for manufacturer ${options.manufacturer} no more`,
                `${operator} has no rights already`,
                transaction,
              ),
          }
        }),
      ),
  )
}
