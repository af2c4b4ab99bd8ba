import type { Command } from "commander"
import { assertKnown } from "../input/known.ts"
import { openLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { keyJson, keyState } from "../output/keys.ts"
import { columns } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"

/** `fleetroot key list`. */
export function keyListCommand(): Command {
  return newCommand("list", "list a manufacturer's keys", "fleetroot key list --manufacturer 2")
    .requiredOption("--manufacturer <id>", "whose keys", uint32("--manufacturer"))
    .action((options: CommonOptions & { manufacturer: number }) =>
      runCommand(options.json, async () => {
        const open = await openLedger(options)
        await assertKnown(open, options.manufacturer)
        const keys = await open.client.listKeys({ ledger: open.ledger }, options.manufacturer)
        const now = Date.now() / 1000
        return {
          json: keys.map((key) => ({ ...keyJson(key), state: keyState(key, now) })),
          text: () =>
            columns([
              ["index", "purpose", "state", "key id"],
              ...keys.map((key) => [String(key.index), String(keyJson(key)["purpose"]), keyState(key, now), key.keyId]),
            ]),
        }
      }),
    )
}
