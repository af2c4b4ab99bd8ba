import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../../scripts/cli/main.ts", import.meta.url))

/** How a command ended. */
export type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

export type CliOptions = {
  /** Environment variables; nothing of the tester's own FLEETROOT settings comes through. */
  env?: Record<string, string>
}

/** The command as a person has it: a folder, settings, and `fleetroot` as a program of its own. */
export class Cli {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv

  constructor(folder: string, env: Record<string, string> = {}) {
    this.folder = folder
    this.env = { PATH: process.env["PATH"], HOME: folder, FLEETROOT_STATE: join(folder, "state"), ...env }
  }

  /** The same place with other settings. */
  with(env: Record<string, string>): Cli {
    return new Cli(this.folder, { ...(this.env as Record<string, string>), ...env })
  }

  /** Starts the command and gives its process too. */
  start(...commandLine: string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const child = spawn(process.execPath, [MAIN, ...commandLine], {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout, stderr })
      })
    })
    return { child, ended }
  }

  run(...commandLine: string[]): Promise<Ended> {
    return this.start(...commandLine).ended
  }

  /** Runs with --json and reads the answer; the exit code beside it. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the test expects of the answer
  async json<T = Record<string, unknown>>(
    ...commandLine: string[]
  ): Promise<{ code: number | null; answer: T; stderr: string }> {
    const { code, stdout, stderr } = await this.run(...commandLine, "--json")
    try {
      return { code, answer: JSON.parse(stdout) as T, stderr }
    } catch {
      throw new Error(`no JSON from ${commandLine.join(" ")} (exit ${code}): ${stdout}\n${stderr}`)
    }
  }

  at(...names: string[]): string {
    return join(this.folder, ...names)
  }

  text(name: string): string {
    return readFileSync(this.at(name), "utf8")
  }
}

/** A testnet of its own process, ready to be used by `cli` and whoever has its deployment file. */
export async function startTestnet(
  cli: Cli,
  ...options: string[]
): Promise<{ cli: Cli; url: string; stop(): Promise<Ended> }> {
  const file = cli.at("net.json")
  const { child, ended } = cli.start("testnet", "--port", "0", "--deployment", file, ...options)
  const early = ended.then((end) => {
    throw new Error(`the testnet ended: ${end.stdout}${end.stderr}`)
  })
  const ready = (async () => {
    while (!existsSync(file)) await setTimeout(50)
  })()
  await Promise.race([ready, early])
  early.catch(() => undefined)
  const url = (JSON.parse(readFileSync(file, "utf8")) as { rpc: string }).rpc
  const stop = async (): Promise<Ended> => {
    child.kill("SIGTERM")
    return ended
  }
  return { cli: cli.with({ FLEETROOT_DEPLOYMENT: file }), url, stop }
}
