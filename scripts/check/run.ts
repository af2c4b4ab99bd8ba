import { spawnSync } from "node:child_process"
import { dirname, delimiter } from "node:path"
import { fileURLToPath } from "node:url"

/** The folder of package.json. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url))

/** The environment of every tool: the Node that runs this file comes first, nothing reports home, logs stay plain text. */
export const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
  HARDHAT_DISABLE_TELEMETRY: "true",
  ...(process.stdout.isTTY ? {} : { NO_COLOR: "1" }),
}

export type RunOptions = {
  /** After this the program is killed and counts as failed. */
  timeoutSeconds?: number
  /** Where standard output goes instead of the terminal: an open file. */
  stdout?: number
}

/**
 * Runs a JavaScript or TypeScript program with the Node that runs this file; its output is shown as it comes.
 *
 * @returns the program's exit code; 1 when it was killed or could not be started
 */
export function runNode(script: string, args: string[] = [], options: RunOptions = {}): number {
  const { timeoutSeconds = 600, stdout = "inherit" } = options
  const result = spawnSync(process.execPath, [script, ...args], {
    cwd: ROOT,
    env: ENVIRONMENT,
    stdio: ["ignore", stdout, "inherit"],
    timeout: timeoutSeconds * 1000,
    killSignal: "SIGKILL",
  })
  if (result.status !== null) return result.status
  console.error(`${script} ended without an exit code: ${result.error?.message ?? result.signal}`)
  return 1
}
