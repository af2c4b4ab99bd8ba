import { execFile, execFileSync, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { freePort } from "./freePort.ts"

const run = promisify(execFile)
const DEBIAN = "/usr/lib/postgresql"

/** A PostgreSQL server of a test's own, on this machine alone, that can be stopped and started. */
export class TestPostgres {
  readonly url: string
  readonly #folder: string
  readonly #port: number
  readonly #who: { uid?: number; gid?: number }
  #server: ChildProcess | undefined

  private constructor(folder: string, port: number, who: { uid?: number; gid?: number }) {
    this.#folder = folder
    this.#port = port
    this.#who = who
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`
  }

  static async start(): Promise<TestPostgres> {
    const folder = mkdtempSync(join(tmpdir(), "fleetroot-postgres-"))
    // It refuses to run as root.
    const who = userInfo().uid === 0 ? { uid: idOf("-u"), gid: idOf("-g") } : {}
    if (who.uid !== undefined && who.gid !== undefined) chownSync(folder, who.uid, who.gid)
    const data = join(folder, "data")
    await run(program("initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], {
      ...who,
      cwd: folder,
    })
    const server = new TestPostgres(folder, await freePort(), who)
    await server.up()
    return server
  }

  /** Starts the server, and waits until it answers. */
  async up(): Promise<void> {
    const { uid, gid } = this.#who
    const options = ["-D", join(this.#folder, "data"), "-p", String(this.#port), "-h", "127.0.0.1", "-k", this.#folder]
    const server = spawn(program("postgres"), [...options, "-F"], {
      cwd: this.#folder,
      stdio: "ignore",
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    })
    this.#server = server
    for (;;) {
      if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`)
      const isReady = await run(program("pg_isready"), ["-h", "127.0.0.1", "-p", String(this.#port)]).then(
        () => true,
        () => false,
      )
      if (isReady) return
      await sleep(50)
    }
  }

  /** Ends the server at once, with every connection to it. */
  async down(): Promise<void> {
    const server = this.#server
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, "exit")
    // Its word for "immediately".
    server.kill("SIGQUIT")
    await ended
  }

  async remove(): Promise<void> {
    await this.down()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function idOf(which: "-u" | "-g"): number {
  return Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" }))
}

/** Debian keeps the server's programs out of PATH, by version. */
function program(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : []
  const paths = versions.map((version) => join(DEBIAN, version, "bin", name)).filter((path) => existsSync(path))
  return paths.at(-1) ?? name
}
