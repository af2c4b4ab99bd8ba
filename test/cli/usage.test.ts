import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { GROUPS, TOP_COMMANDS } from "../../scripts/cli/commandTable.ts"
import { Cli } from "./cli.ts"
import { tempFolder } from "./tempFolder.ts"

const folder = tempFolder()
const cli = new Cli(folder.path)
afterAll(folder.remove)

/** Every command, as it is typed. */
const COMMANDS = [
  ...TOP_COMMANDS.map((make) => [make().name()]),
  ...GROUPS.flatMap(({ name, commands }) => commands.map((make) => [name, make().name()])),
]

/** What registering a fleet, checking and revoking it needs. */
const MAIN_JOB = [
  "batch receipt",
  "batch register",
  "batch show",
  "credential register",
  "fleet make",
  "hold",
  "key add",
  "key list",
  "key revoke",
  "manufacturer add",
  "manufacturer resume",
  "manufacturer show",
  "manufacturer suspend",
  "operator add",
  "operator remove",
  "revoke",
  "status",
  "testnet",
  "unhold",
]

describe("every command", () => {
  it("is one of those that the manual lists, in a file of its own", () => {
    expect(COMMANDS.map((words) => words.join(" "))).toEqual(expect.arrayContaining(MAIN_JOB))
    const files = readdirSync(fileURLToPath(new URL("../../scripts/cli/commands", import.meta.url)))
    expect(files).toHaveLength(COMMANDS.length)
  })

  it("has the same general options, and an example that names it", () => {
    const makers = [...TOP_COMMANDS, ...GROUPS.flatMap(({ commands }) => commands)]
    for (const [i, make] of makers.entries()) {
      const command = make()
      const flags = command.options.map(({ long }) => long)
      expect(flags).toEqual(expect.arrayContaining(["--json", "--rpc", "--deployment", "--timeout"]))
      let help = ""
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
      expect(help).toContain(`$ fleetroot ${COMMANDS[i]!.join(" ")}`)
    }
  })

  it("shows help with exit code 0", async () => {
    const ends = await Promise.all([cli.run("--help"), cli.run("status", "--help"), cli.run("--version")])
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(ends[0].stdout).toContain("Exit codes: 0 good, 1 not good, 2 wrong usage, 3 could not decide.")
    expect(ends[2].stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe("a wrong command line", () => {
  const REVOKE = ["revoke", "--manufacturer", "2"]

  it.each<[string, string[]]>([
    ["nothing at all", []],
    ["an unknown command", ["stauts", "a.pem"]],
    ["an unknown command of a group", ["batch", "list"]],
    ["an unknown option", ["status", "a.pem", "--recipts", "x"]],
    ["a missing argument", ["status"]],
    ["a missing option", ["hold", "a.pem"]],
    ["an empty number", ["manufacturer", "show", ""]],
    ["a number with a space", ["manufacturer", "show", " 2"]],
    ["a number with an exponent", ["manufacturer", "show", "1e0"]],
    ["a number in hex", ["manufacturer", "show", "0x2"]],
    ["a number with a sign", ["manufacturer", "show", "+2"]],
    ["a leading zero", ["manufacturer", "show", "02"]],
    ["manufacturer 0", ["manufacturer", "show", "0"]],
    ["a manufacturer past 32 bits", ["manufacturer", "show", "4294967296"]],
    ["30 February", ["status", "a.pem", "--at", "2027-02-30"]],
    ["25 o'clock", ["status", "a.pem", "--at", "2027-02-01T25:00:00Z"]],
    ["a time without a zone", ["status", "a.pem", "--at", "2027-02-01T12:00:00"]],
    ["a negative time", ["status", "a.pem", "--at", "-1"]],
    ["an RPC address that is no URL", ["manufacturer", "show", "--rpc", "localhost:8545"]],
    ["an RPC address of a file", ["manufacturer", "show", "--rpc", "file:///etc/passwd"]],
    ["a timeout of zero", ["manufacturer", "show", "--timeout", "0"]],
    ["an unknown reason", [...REVOKE, "a.pem", "--reason", "keycompromise"]],
    ["a hold as a revocation's reason", [...REVOKE, "a.pem", "--reason", "certificateHold"]],
    ["nothing to revoke", REVOKE],
    ["two things to revoke", [...REVOKE, "a.pem", "--batch", "1"]],
    ["places without a batch", [...REVOKE, "--indices", "1"]],
    ["a range that runs backwards", [...REVOKE, "--series", "1", "--indices", "9-5"]],
    ["a range of everything", [...REVOKE, "--series", "1", "--indices", "0-4294967294"]],
    ["a key id that is too short", [...REVOKE, "--key-id", "0x12"]],
    [
      "a right that is none",
      ["operator", "add", `0x${"11".repeat(20)}`, "--manufacturer", "2", "--rights", "everything"],
    ],
    ["a purpose that is none", ["key", "add", "--manufacturer", "2", "--key", "k", "--purpose", "openIssuer"]],
    ["a port that is none", ["testnet", "--port", "65536"]],
    ["a fleet without a place", ["fleet", "make", "f", "--count", "1"]],
    ["a deployment file that is not there", ["manufacturer", "show", "--deployment", "gone.json"]],
    ["a deployment file that is none", ["manufacturer", "show", "--deployment", "/dev/null"]],
  ])("ends with 2 and says why, to people and to programs: %s", async (_name, commandLine) => {
    const { code, stdout, stderr } = await cli.run(...commandLine, "--json")

    expect({ code, stderr: stderr === "" }).toEqual({ code: 2, stderr: false })
    if (commandLine.length > 0) {
      expect(JSON.parse(stdout)).toMatchObject({
        code: expect.stringMatching(/^[A-Z_]+$/),
        message: expect.any(String),
      })
    }
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it("ends with 2 also where nobody listens to the reason", async () => {
    const { child, ended } = cli.start("manufacturer", "show", "0")
    child.stderr?.destroy()
    expect((await ended).code).toBe(2)
  })

  it("writes nothing anywhere", () => {
    expect(readdirSync(folder.path).filter((name) => !["state", ".cache"].includes(name))).toEqual([])
    expect(existsSync(join(folder.path, "f"))).toBe(false)
  })
})
