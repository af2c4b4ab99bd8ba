import type { Command } from "commander"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { EXIT, UsageError } from "../cliError.ts"
import { parseInteger, uint32 } from "../options/parse.ts"
import { printable, printableJson } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions & { port: number; seed?: number; seedDir?: string }

const MOST_SEEDED = 10_000_000
const MOST_CERTIFICATES = 10_000

/** `fleetroot testnet`: a ledger of one's own, in this process. */
export function testnetCommand(): Command {
  const command = newCommand(
    "testnet",
    "run a ledger on this machine, contracts deployed, until it is interrupted; ready when the deployment file is there",
    "fleetroot testnet --port 8545 --deployment net.json --seed 100 --seed-dir fleet/",
  )
    .option("--port <n>", "port on 127.0.0.1; 0: any free one", (text) => parseInteger(text, "--port", 0, 65_535), 8545)
    .option("--seed <n>", 'register a fleet of n for manufacturer 1, "Testnet Works"', uint32("--seed", 1, MOST_SEEDED))
    .option(
      "--seed-dir <dir>",
      "folder for that fleet's CA, certificates, manifest and receipts; without it they are hashes only",
    )
  return command.action((options: Options) =>
    runCommand(options.json, async () => {
      if (options.seedDir !== undefined && (options.seed ?? 1) > MOST_CERTIFICATES) {
        throw new UsageError(`--seed-dir makes real certificates: at most ${MOST_CERTIFICATES}.`)
      }
      // Listening before anything is ready: whoever sees the deployment file may stop it at once.
      const stopped = stopSignal()
      const { startTestnet } = await import("../testnet/startTestnet.ts")
      const path = options.deployment ?? (process.env["FLEETROOT_DEPLOYMENT"] || "fleetroot-deployment.json")
      const starting = startTestnet({ ...options, path })
      const early = await Promise.race([starting.then(() => undefined), stopped])
      if (early !== undefined) return process.exit(EXIT.undecided)

      const testnet = await starting
      const ready = { ready: true, deployment: path, ...testnet.summary }
      // Said at once, for it runs until it is stopped.
      process.stdout.write(
        options.json === true
          ? `${printableJson(ready)}\n`
          : `testnet ready: ${testnet.summary.rpc}, deployment file ${printable(path)}\nmanufacturer 1 is "Testnet Works"; stop with Ctrl-C\n`,
      )
      const signal = await stopped
      await testnet.close()
      return { json: { stopped: signal }, text: () => `stopped by ${signal}` }
    }),
  )
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        resolve(signal)
      })
  })
}
