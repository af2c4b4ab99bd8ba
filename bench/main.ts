// `npm run bench`: every measurement, each group in a process of its own, beside the peers that do the same work.
//
//   npm run bench -- [--quick] [--json FILE] [--only GROUP …]
//
// Writes bench/results/latest.json and bench/results/index.html. Exits with 1 if a group failed; a missed target is a result.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { page } from "./page.ts"
import type { Plot, Row } from "./row.ts"

const FOLDER = dirname(fileURLToPath(import.meta.url))
const RESULTS = join(FOLDER, "results")
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const
/** A group that takes longer is broken. */
const GROUP_SECONDS = { quick: 60, whole: 300 }

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string", multiple: true },
  },
})
const groups = readdirSync(join(FOLDER, "rows"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.slice(0, -3))
  .toSorted()
const unknown = values.only?.find((name) => !groups.includes(name))
if (unknown !== undefined) {
  console.error(`There is no group ${unknown}; the groups are ${groups.join(", ")}.`)
  process.exit(2)
}

// Whatever the groups leave behind, also those that were ended, goes with it.
const folder = mkdtempSync(join(tmpdir(), "fleetroot-bench-"))
process.once("exit", () => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})
const started = performance.now()
const rows: Row[] = []
const plots: Plot[] = []
const failed: string[] = []
for (const name of values.only ?? groups) {
  const began = performance.now()
  const found = await measure(name)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (found === undefined) failed.push(name)
  else {
    rows.push(...found.rows)
    plots.push(...found.plots)
  }
  console.error(`${name}: ${found === undefined ? "FAILED" : `${found.rows.length} rows`} in ${seconds} s`)
  for (const one of found?.rows ?? []) console.log(line(one))
}

const result = { rows, machine: machine(), versions: versions() }
const text = `${JSON.stringify(result, null, 2)}\n`
if (values.json !== undefined) writeFileSync(values.json, text)
if (values.only === undefined) {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, "latest.json"), text)
  writeFileSync(join(RESULTS, "index.html"), page(result, plots, { quick: values.quick }))
  console.error(`written: ${join(RESULTS, "index.html")}`)
}
console.error(`${rows.length} rows in ${((performance.now() - started) / 1000).toFixed(0)} s`)
if (failed.length > 0) console.error(`FAILED: ${failed.join(", ")}`)
process.exitCode = failed.length === 0 ? 0 : 1

/** Runs one group in a process of its own, so that no other's memory and compiled code are in its way. */
async function measure(name: string): Promise<{ rows: Row[]; plots: Plot[] } | undefined> {
  const runner = join(FOLDER, "runGroup.ts")
  const file = join(FOLDER, "rows", `${name}.ts`)
  const args = ["--expose-gc", runner, file, ...(values.quick ? ["--quick"] : [])]
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
    cwd: resolve(FOLDER, ".."),
    // All groups start with the same files, which are compiled once; what a group starts itself has none of it (runGroup.ts).
    env: { ...process.env, TMPDIR: folder, NODE_COMPILE_CACHE: join(folder, "compiled") },
    detached: true,
  })
  const seconds = values.quick ? GROUP_SECONDS.quick : GROUP_SECONDS.whole
  // With the nodes that it started.
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    } catch {
      // Nothing of it is left.
    }
  }
  const endWith = (): never => {
    killGroup()
    process.exit(1)
  }
  const timer = setTimeout(killGroup, seconds * 1000)
  for (const signal of SIGNALS) process.once(signal, endWith)
  let answer = ""
  child.stdio[3]?.on("data", (chunk: Buffer) => (answer += chunk.toString()))
  const [code] = (await once(child, "close")) as [number | null]
  clearTimeout(timer)
  killGroup()
  for (const signal of SIGNALS) process.off(signal, endWith)
  if (code !== 0 || answer === "") return undefined
  return JSON.parse(answer) as { rows: Row[]; plots: Plot[] }
}

function line({ name, value, unit, target, holds, peers }: Row): string {
  const verdict = holds === null ? "" : `  (target ${target}: ${holds ? "holds" : "MISSED"})`
  const others = peers.map((peer) => `; ${peer.name}: ${peer.value}`).join("")
  return `  ${name}: ${value} ${unit}${verdict}${others}`
}

function machine(): Record<string, string | number> {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // Other work on the machine shows here.
    loadAtEnd: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}

function versions(): Record<string, string> {
  const find = createRequire(import.meta.url)
  const packages = [
    "viem",
    "@foundry-rs/anvil",
    "@openzeppelin/merkle-tree",
    "@ethereum-attestation-service/eas-contracts",
    "ethr-did-registry",
  ]
  const installed = packages.map((name): [string, string] => {
    const manifest = find(`../node_modules/${name}/package.json`) as { version: string }
    return [name, manifest.version]
  })
  const { node, openssl, v8 } = process.versions
  return { node, openssl, v8, ...Object.fromEntries(installed) }
}
