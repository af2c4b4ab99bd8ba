import type { Command } from "commander"
import type { LedgerKey } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { parseInteger, time, uint32 } from "../options/parse.ts"
import { keyJson } from "../output/keys.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { manufacturer: number; compromisedSince?: Date }

/** `fleetroot key revoke`: retires a key, or says since when others held it. */
export function keyRevokeCommand(): Command {
  const command = newCommand(
    "revoke",
    "retire a key: it signs nothing new, what it signed stays good; or declare its compromise",
    "fleetroot key revoke 1 --manufacturer 2 --compromised-since 2027-01-31T12:00:00Z",
  )
    .argument("<key>", "the key's index or its key id in hex")
    .requiredOption("--manufacturer <id>", "whose key it is", uint32("--manufacturer"))
    .option(
      "--compromised-since <time>",
      "others held the key from then on: what it signed and was anchored since is void",
      time("--compromised-since"),
    )
  return withSigner(command).action((given: string, options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "key revoke", async (open) => {
        const { manufacturer, compromisedSince: since } = options
        const { index } = await findKey(open, manufacturer, given)
        const client = open.manufacturer(manufacturer)
        const transaction =
          since === undefined ? await client.revokeKey(index) : await client.declareCompromise(index, since)
        const after = await findKey(open, manufacturer, String(index))
        const said = since === undefined ? "retired" : `declared compromised since ${since.toISOString()}`
        return {
          json: { ...keyJson(after), transaction: transactionJson(transaction) },
          text: () => outcomeText(`key ${index} is ${said}`, `key ${index}: nothing to do`, transaction),
        }
      }),
    ),
  )
}

const UINT32 = 0xffff_ffff

async function findKey({ ledger }: OpenWriter, manufacturerId: number, given: string): Promise<LedgerKey> {
  const view = await ledger.at("latest")
  const keyId = /^(?:0x)?[0-9a-fA-F]{64}$/.test(given)
    ? (`0x${given.replace(/^0x/, "").toLowerCase()}` as const)
    : undefined
  const key =
    keyId === undefined
      ? await view.key(manufacturerId, parseInteger(given, "the key's index", 1, UINT32))
      : await view.keyById(keyId)
  if (key?.manufacturerId === manufacturerId) return key
  throw new UsageError(`Manufacturer ${manufacturerId} has no key ${given}.`, {
    hint: `\`fleetroot key list --manufacturer ${manufacturerId}\` lists them.`,
  })
}
