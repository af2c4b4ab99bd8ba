// Installs what package-lock.json lists, with the pinned Node, and runs no install script of any dependency.
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { chmodSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { isNewEnough, nodePath, nodeVersion, OLDEST_NODE, platform } from "./state.mjs"

const QUIET = ["--loglevel=error", "--no-audit", "--no-fund"]
/** For npm's standard output: 2 sends it to standard error, for standard output belongs to what the user asked for. */
const SHOWN = 2

/**
 * Provides the Node that the project runs with and, when `packages` says so, fills node_modules afresh.
 *
 * @param {{ root: string, workFolder: string, packages: boolean, say: (line: string) => void }} options
 *   `workFolder` is empty, on the file system of `root`, and removed by the caller.
 */
export function install({ root, workFolder, packages, say }) {
  const pinned = fetchPinnedNode({ workFolder, say })
  if (pinned === undefined && !isNewEnough(process.version)) {
    throw new Error(
      `Node ${process.version} is too old, and there is no pinned Node for ${platform()}. Install Node ${OLDEST_NODE} or newer.`,
    )
  }

  if (packages) {
    const node = pinned ?? process.execPath
    say(`installing the packages of package-lock.json with Node ${nodeVersion(node)} (npm ci) …`)
    // Options on the command line beat NODE_ENV=production and a user's own npm settings.
    const args = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", ...QUIET]
    runNpm(args, { root, node, output: SHOWN })
  }
  placeNode(root, pinned)
}

/**
 * Makes node_modules/.bin/node the pinned Node, or the running one where none is pinned.
 *
 * @param {string} root
 * @param {string | undefined} pinned is moved away
 */
function placeNode(root, pinned) {
  const link = nodePath(root)
  rmSync(link, { force: true })
  mkdirSync(dirname(link), { recursive: true })
  if (pinned === undefined) {
    symlinkSync(process.execPath, link)
    return
  }
  const home = join(root, "node_modules", "node", "bin", "node")
  mkdirSync(dirname(home), { recursive: true })
  renameSync(pinned, home)
  symlinkSync("../node/bin/node", link)
}

/**
 * Fetches the pinned Node from the package registry and checks it against the hash in this folder before its first use.
 *
 * @param {{ workFolder: string, say: (line: string) => void }} options
 * @returns {string | undefined} path of the program; undefined where none is pinned or it does not start
 */
function fetchPinnedNode({ workFolder, say }) {
  const binaries = /** @type {{ version: string, packages: Record<string, { name: string, integrity: string }> }} */ (
    JSON.parse(readFileSync(new URL("./nodeBinaries.json", import.meta.url), "utf8"))
  )
  const binary = binaries.packages[platform()]
  if (binary === undefined) return undefined

  say(`fetching Node ${binaries.version} …`)
  const spec = `${binary.name}@${binaries.version}`
  const args = ["pack", spec, "--pack-destination", workFolder, "--ignore-scripts", ...QUIET]
  runNpm(args, { root: workFolder, node: process.execPath, output: "ignore" })
  const archive = readdirSync(workFolder).find((name) => name.endsWith(".tgz"))
  if (archive === undefined) throw new Error(`npm pack ${spec} left no archive.`)

  checkIntegrity(readFileSync(join(workFolder, archive)), binary.integrity, spec)

  execFileSync("tar", ["-xzf", archive, "package/bin/node"], { cwd: workFolder, stdio: ["ignore", 2, 2] })
  const node = join(workFolder, "package", "bin", "node")
  chmodSync(node, 0o755)
  return isNewEnough(nodeVersion(node)) ? node : undefined
}

/**
 * @param {Uint8Array} bytes
 * @param {string} integrity "sha512-" and base64, as in package-lock.json
 * @param {string} name for the message
 */
export function checkIntegrity(bytes, integrity, name) {
  const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`
  if (found !== integrity) {
    throw new Error(`${name} is not what this project pins: its hash is ${found}, wanted ${integrity}.`)
  }
}

/**
 * @param {string[]} args
 * @param {{ root: string, node: string, output: "ignore" | typeof SHOWN }} options `node` runs npm and all that npm starts
 */
function runNpm(args, { root, node, output }) {
  const npmScript = process.env["npm_execpath"]
  const isNpm = npmScript !== undefined && npmScript.endsWith("npm-cli.js")
  const [program, programArgs] = isNpm ? [node, [npmScript, ...args]] : ["npm", args]
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"] ?? ""}` }
  const result = spawnSync(program, programArgs, { cwd: root, env, stdio: ["ignore", output, 2] })
  if (result.error !== undefined) throw new Error(`npm could not be started: ${result.error.message}`)
  if (result.status !== 0) {
    throw new Error(`npm ${args[0]} failed (${result.signal ?? `exit ${result.status}`}); its lines above say why.`)
  }
}
