import { execFile, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { setTimeout } from "node:timers/promises"

export { freePort } from "../../helpers/freePort.ts"

export type Ran = { code: number; stdout: string; stderr: string; all: string }

/** Runs a program to its end, without stopping this process, which may be serving it. */
export async function run(program: string, ...args: readonly (string | readonly string[])[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args.flat(), { timeout: 60_000, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") {
        reject(new Error(`${program} did not run: ${error.message}`, { cause: error }))
        return
      }
      const code = error === null ? 0 : Number(error.code)
      resolve({ code, stdout, stderr, all: `${stdout}\n${stderr}` })
    })
    child.stdin?.end()
  })
}

/** A server program that is ended with its test. */
export class Running {
  readonly child: ChildProcess
  output = ""

  constructor(program: string, args: readonly string[]) {
    // Where Debian keeps servers is not on everybody's path.
    const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` }
    this.child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env })
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.output += text))
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.output += text))
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => {
      this.child.once("exit", () => {
        resolve()
      })
    })
    this.child.kill("SIGTERM")
    const late = setTimeout(10_000).then(() => this.child.kill("SIGKILL"))
    await Promise.race([ended, late])
  }
}

/** Asks again and again until the answer is what was waited for; gives the last answer when the time is up. */
export async function until<T>(ask: () => Promise<T>, done: (answer: T) => boolean, milliseconds = 30_000): Promise<T> {
  const end = Date.now() + milliseconds
  for (;;) {
    const answer = await ask()
    if (done(answer) || Date.now() > end) return answer
    await setTimeout(50)
  }
}
