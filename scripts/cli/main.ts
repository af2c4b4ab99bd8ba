#!/usr/bin/env node
// The `fleetroot` command. Everything is loaded when it is needed, so that a status check starts fast.
import { existsSync, readFileSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { homedir } from "node:os"
import { dirname, isAbsolute, join } from "node:path"
import { fileURLToPath } from "node:url"

cacheCompiledCode()
goWhereTheUserIs()
// A reader that has seen enough (`| head`) ends the program, not an exception.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? (process.exitCode ?? 0) : 3)
})
// What nobody can read there changes nothing about the answer, nor about the exit code.
process.stderr.on("error", () => undefined)
const { run } = await import("./program.ts")
await run(process.argv.slice(2), packageVersion())

/** Parsing the libraries takes longer than running them; Node keeps the result in a folder of this user. */
function cacheCompiledCode(): void {
  const home = process.env["XDG_CACHE_HOME"]
  const folder = home !== undefined && isAbsolute(home) ? home : join(homedir(), ".cache")
  enableCompileCache(join(folder, "fleetroot", "compiled"))
}

/** npm runs scripts in the project's folder; the paths that were typed are relative to where they were typed. */
function goWhereTheUserIs(): void {
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env
  if (script === "fleetroot" && folder !== undefined && existsSync(folder)) process.chdir(folder)
}

function packageVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, "package.json")
    if (existsSync(path)) return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version
    if (folder === dirname(folder)) return "unknown"
  }
}
