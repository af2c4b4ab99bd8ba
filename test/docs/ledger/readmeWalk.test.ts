import { execFile, spawnSync } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { freePort } from "../../helpers/freePort.ts"
import { readText } from "../pages.ts"

const run = promisify(execFile)

/** The shell lines of README.md that walk through the command line tool. */
const walk = /```sh\n(fleetroot\(\)[\s\S]*?)```/.exec(readText("README.md"))?.[1] ?? ""

/** Runs the sources with this Node, notes each exit code, and goes on; what serves becomes the job itself, so that it can be ended. */
const FLEETROOT = `fleetroot() {
  [ "$1" = testnet ] && exec "$NODE" "$CLI" "$@"
  [ "$1 $2" = "gateway --listen" ] && exec "$NODE" "$CLI" "$@"
  "$NODE" "$CLI" "$@"
  echo "$? $*" >>codes.txt
}`

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

describe.skipIf(!hasOpenssl)("the walk in README.md", () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleetroot-walk-"))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it("works when pasted, and each command ends as its remark says", async () => {
    const gateway = `127.0.0.1:${await freePort()}`
    const script = walk
      .replace(/^fleetroot\(\).*$/m, FLEETROOT)
      .replace("--port 8545", "--port 0")
      .replaceAll("127.0.0.1:8080", gateway)
    const env = {
      ...process.env,
      NODE: process.execPath,
      CLI: fileURLToPath(new URL("../../../scripts/cli/main.ts", import.meta.url)),
      FLEETROOT_STATE: join(folder, "state"),
      NO_COLOR: "1",
    }
    const { stdout } = await run("bash", ["--norc", "-c", `trap 'kill $(jobs -p)' EXIT\n${script}`], {
      cwd: folder,
      env,
      timeout: 240_000,
    })

    const commands = walk.split("\n").filter((line) => /^fleetroot (?!testnet|gateway --listen)/.test(line))
    const expected = commands.map((line) => Number(/exit (\d)/.exec(line)?.[1] ?? 0))
    const codes = (await readFile(join(folder, "codes.txt"), "utf8")).trim().split("\n")
    expect(codes.map((line) => Number(line.split(" ")[0]))).toEqual(expected)
    expect(commands.length).toBeGreaterThan(8)
    const answers = [...stdout.matchAll(/^certs\/\d\.pem: (\w+)/gm)].map(([, status]) => status)
    const before = ["good", "good", "good", "good"]
    const after = ["revoked", "onHold", "good", "good"]
    // The last two are openssl's words.
    expect(answers).toEqual([...before, ...after, ...after, "good", "revoked", "good"])
  }, 300_000)
})
