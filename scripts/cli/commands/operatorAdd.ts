import type { Command } from "commander"
import type { OperatorRight } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { parseAddress } from "../input/address.ts"
import { assertKnown } from "../input/known.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { time, uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { manufacturer: number; rights: OperatorRight[]; until?: Date }

const RIGHTS: readonly OperatorRight[] = ["register", "revoke", "release"]
const YEAR_MS = 365 * 86_400_000

/** `fleetroot operator add`: an account gets rights, and no others than these. */
export function operatorAddCommand(): Command {
  const command = newCommand(
    "add",
    "let an account act for a manufacturer, with exactly these rights",
    "fleetroot operator add 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --manufacturer 2 --rights register,revoke",
  )
    .argument("<address>", "the account")
    .requiredOption("--manufacturer <id>", "for whom it acts", uint32("--manufacturer"))
    .requiredOption("--rights <list>", `some of ${RIGHTS.join(", ")}`, parseRights)
    .option("--until <time>", "until when; default: a year from now", time("--until"))
  return withSigner(command).action((given: string, options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "operator add", async (open) => {
        const operator = await parseAddress(given, "the operator")
        await assertKnown(open, options.manufacturer)
        const until = options.until ?? new Date(Date.now() + YEAR_MS)
        const transaction = await open.manufacturer(options.manufacturer).setOperator(operator, options.rights, until)
        const { rights, manufacturer } = options
        return {
          json: {
            manufacturer,
            operator,
            rights,
            until: until.toISOString(),
            transaction: transactionJson(transaction),
          },
          text: () =>
            outcomeText(
              `${operator} may ${rights.join(", ")} for manufacturer ${manufacturer} until ${until.toISOString()}`,
              `${operator} has these rights already`,
              transaction,
            ),
        }
      }),
    ),
  )
}

function parseRights(text: string): OperatorRight[] {
  const words = text.split(",")
  const rights = RIGHTS.filter((right) => words.includes(right))
  if (rights.length === words.length) return rights
  throw new UsageError(`--rights should be some of ${RIGHTS.join(",")}, each once; found ${JSON.stringify(text)}.`)
}
