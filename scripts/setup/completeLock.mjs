// Adds to package-lock.json the optional packages of other platforms that the registry in use does not carry.
//
// npm leaves them out when it writes the lock file and then refuses it in `npm ci` ("Missing: … from lock file"), npm/cli 11.
// An entry made here names version and platform only: npm skips it wherever the platform differs.
// test/supply.test.ts sees to it that no such entry is for a platform that this project supports.
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/**
 * @typedef {{ version?: string, integrity?: string, cpu?: string[], libc?: string[], os?: string[], dev?: boolean,
 *   optional?: boolean, optionalDependencies?: Record<string, string> }} Entry
 * @typedef {{ packages: Record<string, Entry> }} Lock
 */

const OS = /** @type {Record<string, string>} */ ({ windows: "win32" })
const OSES = [
  "darwin",
  "linux",
  "win32",
  "windows",
  "android",
  "freebsd",
  "openbsd",
  "netbsd",
  "openharmony",
  "aix",
  "sunos",
]
const CPU = /** @type {Record<string, string>} */ ({ amd64: "x64", aarch64: "arm64", armv7: "arm" })
const CPUS = [
  "x64",
  "amd64",
  "arm64",
  "aarch64",
  "armv7",
  "arm",
  "ia32",
  "ppc64",
  "riscv64",
  "s390x",
  "loong64",
  "mips64el",
]

/**
 * The entries that `lock` lacks, by path.
 *
 * @param {Lock} lock
 * @returns {Record<string, Entry>}
 */
export function findMissingEntries(lock) {
  /** @type {Record<string, Entry>} */
  const missing = {}
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, path, name)) continue
      missing[`node_modules/${name}`] = {
        version: range.replace(/^[\^~]/, ""),
        // In npm's order, so that its next change of the file leaves these lines alone.
        ...sortKeys({ ...platformOf(name), ...(entry.dev === true ? { dev: true } : {}), optional: true }),
      }
    }
  }
  return missing
}

/**
 * Would Node find `name` when asked from the package at `path`?
 *
 * @param {Lock} lock
 * @param {string} path
 * @param {string} name
 */
function isLocked(lock, path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true
    if (folder === "") return false
  }
}

/**
 * @param {string} name such as "@oxlint/binding-linux-x64-musl"
 * @returns {{ cpu: string[], libc?: string[], os: string[] }}
 */
function platformOf(name) {
  const words = name.split(/[/-]/)
  const os = OSES.find((word) => words.includes(word))
  const cpu = CPUS.find((word) => words.includes(word))
  if (os === undefined || cpu === undefined)
    throw new Error(`${name} names no platform; is it missing from the registry?`)
  const libc = words.some((word) => word.startsWith("musl")) ? "musl" : words.includes("gnu") ? "glibc" : undefined
  return { cpu: [CPU[cpu] ?? cpu], ...(libc === undefined ? {} : { libc: [libc] }), os: [OS[os] ?? os] }
}

/**
 * @template {object} T
 * @param {T} object
 * @returns {T}
 */
function sortKeys(object) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(object).sort(([a], [b]) => a.localeCompare(b, "en"))))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL("../../package-lock.json", import.meta.url))
  const lock = /** @type {Lock} */ (JSON.parse(readFileSync(path, "utf8")))
  const missing = findMissingEntries(lock)
  const sorted = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, "en"))
  writeFileSync(path, JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2) + "\n")
  process.stderr.write(`package-lock.json: ${Object.keys(missing).length} entries added\n`)
}
