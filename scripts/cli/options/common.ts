import { Command, Help } from "commander"
import { parseInteger, parseRpcUrl } from "./parse.ts"

/** The options that every command has. */
export type CommonOptions = {
  json?: boolean
  rpc?: string
  deployment?: string
  /** Seconds. */
  timeout: number
}

/** The options of commands that send transactions. */
export type SignerOptions = { keystore?: string; passphraseFile?: string }

export type Example = { text: string; comment?: string }

/** A command with the options that all of them have, and an example in its help. */
export function newCommand(name: string, summary: string, example: string): Command {
  return new Command(name)
    .summary(summary)
    .description(summary)
    .option("--json", "print JSON on standard output")
    .option("--rpc <url>", "node to ask; else FLEETROOT_RPC, else the deployment file's", parseRpcUrl)
    .option(
      "--deployment <file>",
      "deployment file; else FLEETROOT_DEPLOYMENT, else fleetroot-deployment.json in this folder",
    )
    .option("--timeout <seconds>", "longest wait for an answer of the node", timeoutSeconds, 10)
    .configureHelp({
      optionDescription: (option) => {
        const description = new Help().optionDescription(option)
        return option.mandatory ? `${description} (required)` : description
      },
    })
    .addHelpText("after", `\nExample:\n  $ ${example}`)
    .allowExcessArguments(false)
    .exitOverride()
}

/** Adds the options of commands that send transactions. */
export function withSigner(command: Command): Command {
  return command
    .option("--keystore <file>", "encrypted key of the account that signs and pays; else FLEETROOT_PRIVATE_KEY")
    .option(
      "--passphrase-file <file>",
      "file with the keystore's passphrase, mode 0600; else FLEETROOT_PASSPHRASE, else asked",
    )
}

function timeoutSeconds(text: string): number {
  return parseInteger(text, "--timeout", 1, 3600)
}
