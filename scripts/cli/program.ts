import { Command, CommanderError } from "commander"
import { EXIT, UsageError } from "./cliError.ts"
import { GROUPS, TOP_COMMANDS } from "./commandTable.ts"
import { printableJson } from "./output/printable.ts"
import { reportError } from "./runCommand.ts"

/** The whole command: `fleetroot <group> <command>`. */
export function fleetroot(version: string): Command {
  const program = new Command("fleetroot")
    .description("Device identities and their revocation on a ledger: register fleets, check devices, revoke them.")
    .version(version)
    .addHelpText(
      "after",
      "\nExit codes: 0 good, 1 not good, 2 wrong usage, 3 could not decide.\n\nExample:\n  $ fleetroot testnet --deployment net.json &",
    )
    // A command's own --version is not this program's.
    .enablePositionalOptions()
    .exitOverride()
  for (const command of TOP_COMMANDS) program.addCommand(command())
  for (const { name, summary, commands } of GROUPS) {
    // `gateway` is a command itself, and has others below it.
    const alone = program.commands.find((command) => command.name() === name)
    const group = alone ?? new Command(name).summary(summary).description(summary).exitOverride()
    for (const command of commands) group.addCommand(command())
    if (alone === undefined) program.addCommand(group)
  }
  return program
}

/** Runs a command line (without the names of node and script) and sets the exit code. */
export async function run(args: readonly string[], version: string): Promise<void> {
  const json = args.includes("--json")
  try {
    const program = fleetroot(version)
    // With --json the reader of standard error is a person at best; the error goes to standard output as well.
    await program.parseAsync([...args], { from: "user" })
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, json)
    // Commander has printed help, version or its complaint.
    process.exitCode = error.exitCode === 0 ? EXIT.good : EXIT.usage
    const asked = error.code === "commander.helpDisplayed" || error.code === "commander.version"
    if (json && process.exitCode !== EXIT.good && !asked) {
      const message = error.message.replace(/^error: /, "")
      process.stdout.write(`${printableJson(new UsageError(message).toJSON())}\n`)
    }
  }
}
