// Makes a bare clone ready: the first command of `npm start`, `npm test` and the others.
// Runs on Node 18 and newer with nothing installed; silent when there is nothing to do; writes to standard error only.
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { contractsAreBuilt, stampContracts } from "./contracts.mjs"
import { install } from "./install.mjs"
import { findProblems, nodePath, writeStamp } from "./state.mjs"

const root = fileURLToPath(new URL("../..", import.meta.url))
const work = join(root, ".setup")
const wantContracts = process.argv.includes("--contracts")

try {
  main()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

function main() {
  if (isReady()) return
  takeTurn()
  try {
    // Another process may have done it while this one waited.
    installPackages()
    if (wantContracts) buildContracts()
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function isReady() {
  return listProblems().length === 0 && (!wantContracts || contractsAreBuilt(root))
}

function listProblems() {
  const { packages, node } = findProblems(root)
  return [...packages, ...node]
}

function installPackages() {
  const { packages, node } = findProblems(root)
  for (const problem of [...packages, ...node]) say(problem)
  if (packages.length + node.length === 0) return

  const start = Date.now()
  install({ root, workFolder: work, packages: packages.length > 0, say })
  const left = listProblems()
  if (left.length > 0) throw new Error(`the installation did not take: ${left.join("; ")}`)
  writeStamp(root)
  say(`installed in ${seconds(start)} s`)
}

function buildContracts() {
  if (contractsAreBuilt(root)) return

  say("compiling the contracts …")
  const start = Date.now()
  const hardhat = join(root, "node_modules", "hardhat", "dist", "src", "cli.js")
  const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY: "true" }
  const result = spawnSync(nodePath(root), [hardhat, "build", "--no-tests"], {
    cwd: root,
    env,
    stdio: ["ignore", 2, 2],
  })
  if (result.status !== 0) throw new Error("the contracts do not compile; the lines above say why.")
  stampContracts(root)
  say(`contracts compiled in ${seconds(start)} s`)
}

/** Two set-ups in one folder would tear each other's files: the folder `.setup` belongs to one at a time. */
function takeTurn() {
  for (let told = false; ; told = true) {
    try {
      mkdirSync(work)
      writeFileSync(join(work, "owner"), String(process.pid))
      return
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error
    }
    if (isAbandoned()) rmSync(work, { recursive: true, force: true })
    else if (!told) say("waiting for another set-up of this folder …")
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
}

function isAbandoned() {
  try {
    const owner = Number(readFileSync(join(work, "owner"), "utf8"))
    if (owner > 0) return !isAlive(owner)
    return Date.now() - statSync(work).mtimeMs > 5_000
  } catch {
    // The owner may not have written its number yet, or may just have finished.
    return Date.now() - (statSync(work, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 5_000
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM"
  }
}

/** @param {number} start */
function seconds(start) {
  return ((Date.now() - start) / 1000).toFixed(1)
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`setup: ${line}\n`)
}
