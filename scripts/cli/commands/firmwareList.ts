import type { Command } from "commander"
import { FIRMWARE_OPTIONS } from "../firmware/options.ts"
import { releaseJson } from "../firmware/releaseText.ts"
import { assertKnown } from "../input/known.ts"
import { openLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { columns, printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & { manufacturer: number; product?: string }

/** `fleetroot firmware list`: a manufacturer's releases. */
export function firmwareListCommand(): Command {
  return newCommand("list", "list a manufacturer's releases", "fleetroot firmware list --manufacturer 2")
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
    .option(...FIRMWARE_OPTIONS.product)
    .action((options: Options) =>
      runCommand(options.json, async () => {
        const open = await openLedger(options)
        const { client, ledger, rpc } = open
        await assertKnown(open, options.manufacturer)
        const listed = await client.listReleases({ ledger, rpc }, options.manufacturer, options.product)
        const items = listed.map(({ release, texts }) => releaseJson(client, release, texts))
        return {
          json: items,
          text: () =>
            columns([
              ["product", "security version", "version", "state", "image"],
              ...items.map((item) => [
                printable(String(item["product"])),
                String(item["securityVersion"]),
                printable(String(item["version"])),
                item["recalledAt"] === null ? "released" : "recalled",
                String(item["imageDigest"]),
              ]),
            ]),
        }
      }),
    )
}
