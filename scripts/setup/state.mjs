// What is installed, and does it fit package-lock.json? Plain JavaScript: it runs before anything is installed.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Oldest Node that runs the project: type stripping without a flag, and what the tools ask for. */
export const OLDEST_NODE = "22.18.0"

/**
 * Is `version` ("v22.18.0" or "22.18.0") at least `oldest`?
 *
 * @param {string} version
 * @param {string} [oldest]
 * @returns {boolean}
 */
export function isNewEnough(version, oldest = OLDEST_NODE) {
  const [have, want] = [version, oldest].map((text) => text.replace(/^v/, "").split(".").map(Number))
  for (const place of [0, 1, 2]) {
    const difference = (have?.[place] ?? 0) - (want?.[place] ?? 0)
    if (Number.isNaN(difference)) return false
    if (difference !== 0) return difference > 0
  }
  return true
}

/**
 * Why `root` needs an installation, one sentence each; both empty when it needs none.
 *
 * @param {string} root the folder of package.json
 * @returns {{ packages: string[], node: string[] }}
 */
export function findProblems(root) {
  const stampFits = fitsStamp(root)
  const packages = findPackageProblems(root, stampFits)
  const node = findNodeProblems(root, stampFits)
  if (packages.length === 0 && node.length === 0 && !stampFits) writeStamp(root)
  return { packages, node }
}

/**
 * @param {string} root
 * @param {boolean} stampFits
 */
function findPackageProblems(root, stampFits) {
  const modules = join(root, "node_modules")
  if (!existsSync(modules)) return ["node_modules is missing"]
  const stale = stampFits ? [] : compareLocks(root)
  return hasNativeEdr(modules) ? stale : [...stale, "the native part of Hardhat's network (EDR) is missing"]
}

/**
 * @param {string} root
 * @param {boolean} stampFits
 */
function findNodeProblems(root, stampFits) {
  const node = nodePath(root)
  if (!existsSync(node)) return ["node_modules/.bin/node is missing"]
  if (stampFits) return []
  const version = nodeVersion(node)
  return isNewEnough(version) ? [] : [`node_modules/.bin/node is ${version}, older than ${OLDEST_NODE}`]
}

/** @param {string} root */
function fitsStamp(root) {
  const stamp = readStamp(root)
  return stamp !== undefined && stamp.lock === hashLock(root) && stamp.platform === platform()
}

/**
 * Records that the present installation fits the present package-lock.json.
 *
 * @param {string} root
 */
export function writeStamp(root) {
  const stamp = { lock: hashLock(root), platform: platform() }
  writeFileSync(stampPath(root), JSON.stringify(stamp) + "\n")
}

/**
 * The Node that everything after the setup runs with.
 *
 * @param {string} root
 */
export function nodePath(root) {
  return join(root, "node_modules", ".bin", "node")
}

/**
 * What `node` calls itself, or "none" when it does not run here.
 *
 * @param {string} node
 * @returns {string}
 */
export function nodeVersion(node) {
  try {
    return execFileSync(node, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return "none"
  }
}

/** "linux-x64" and so on. */
export function platform() {
  return `${process.platform}-${process.arch}`
}

/** @param {string} root */
function stampPath(root) {
  return join(root, "node_modules", ".fleetroot-setup.json")
}

/**
 * @param {string} root
 * @returns {{ lock: string, platform: string } | undefined}
 */
function readStamp(root) {
  return /** @type {{ lock: string, platform: string } | undefined} */ (readJson(stampPath(root)))
}

/** @param {string} root */
function hashLock(root) {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex")
}

/**
 * Compares package-lock.json with npm's own record of what it installed.
 *
 * @param {string} root
 * @returns {string[]}
 */
function compareLocks(root) {
  /** @typedef {{ packages?: Record<string, { version?: string, integrity?: string, optional?: boolean }> }} Lock */
  const wanted = /** @type {Lock | undefined} */ (readJson(join(root, "package-lock.json")))?.packages
  if (wanted === undefined) throw new Error("package-lock.json is damaged: it lists no packages.")
  const installed = /** @type {Lock | undefined} */ (readJson(join(root, "node_modules", ".package-lock.json")))
    ?.packages
  if (installed === undefined) return ["node_modules was not finished"]

  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue
    const found = installed[path]
    if (found === undefined && entry.optional === true) continue
    if (found?.version !== entry.version || found?.integrity !== entry.integrity) {
      return [`node_modules is stale: ${path} is ${found?.version ?? "missing"}, wanted ${entry.version}`]
    }
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined)
  return extra === undefined ? [] : [`node_modules is stale: ${extra} is no longer wanted`]
}

/** @param {string} modules */
function hasNativeEdr(modules) {
  // npm leaves out optional packages that the running Node is too old for, without a word.
  const scope = join(modules, "@nomicfoundation")
  if (!existsSync(scope)) return false
  const prefix = `edr-${platform()}`
  const folders = readdirSync(scope).filter((name) => name.startsWith(prefix))
  return folders.some((name) => readdirSync(join(scope, name)).some((file) => file.endsWith(".node")))
}

/**
 * @param {string} path
 * @returns {unknown} undefined when the file is missing or damaged
 */
function readJson(path) {
  try {
    return /** @type {unknown} */ (JSON.parse(readFileSync(path, "utf8")))
  } catch {
    return undefined
  }
}
