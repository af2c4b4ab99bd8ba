import type { Command } from "commander"
import { FIRMWARE_OPTIONS, securityVersion } from "../firmware/options.ts"
import { withWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions &
  SignerOptions & { manufacturer: number; product: string; securityVersion: number; reason: string }

/** `fleetroot firmware recall`: a release is not installed any more, for ever. */
export function firmwareRecallCommand(): Command {
  const command = newCommand(
    "recall",
    "recall a release, for ever",
    'fleetroot firmware recall --manufacturer 2 --product acme-9271 --security-version 7 --reason "bricks radio"',
  )
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
    .requiredOption(...FIRMWARE_OPTIONS.product)
    .requiredOption("--security-version <n>", "which release", securityVersion("--security-version"))
    .requiredOption("--reason <text>", "why, for people, up to 128 octets; it is public")
  return withSigner(command).action((options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "firmware recall", async ({ client, ledger, rpc, writer }) => {
        const { manufacturer: manufacturerId, product, securityVersion: version, reason } = options
        const firmware = new client.FirmwareClient({ ledger, rpc, writer, manufacturerId })
        const transaction = await firmware.recall(product, version, reason)
        return {
          json: {
            manufacturer: manufacturerId,
            product,
            securityVersion: version,
            transaction: transactionJson(transaction),
          },
          text: () => outcomeText(`recalled release ${version}`, `release ${version} was recalled before`, transaction),
        }
      }),
    ),
  )
}
