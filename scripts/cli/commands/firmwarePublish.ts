import type { Command } from "commander"
import { readRelease } from "../firmware/files.ts"
import { draftText, releaseJson } from "../firmware/releaseText.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

/** `fleetroot firmware publish`: a release with its signatures goes on the ledger. Anybody may pay for it. */
export function firmwarePublishCommand(): Command {
  const command = newCommand(
    "publish",
    "put a signed release on the ledger; anybody may pay for it",
    "fleetroot firmware publish release.json",
  ).argument("<release>", "file with enough signatures")
  return withSigner(command).action((file: string, options: CommonOptions & SignerOptions) =>
    runCommand(options.json, () =>
      withWriter(options, "firmware publish", async (open) => {
        const { client, ledger, rpc, writer } = open
        const draft = await readRelease(open, file)
        const { manufacturerId, version, uri } = draft
        const firmware = new client.FirmwareClient({ ledger, rpc, writer, manufacturerId })
        const { release, transaction } = await firmware.publish(draft)
        return {
          json: {
            ...releaseJson(client, release, { version, uri }),
            transaction: transactionJson(transaction),
          },
          text: () => `${draftText(client, draft)}\n${outcomeText("published", "on the ledger already", transaction)}`,
        }
      }),
    ),
  )
}
