// Do the compiled contracts fit the sources? Starting the compiler only to hear "nothing to do" costs seconds.
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/**
 * @param {string} root the folder of package.json
 * @returns {boolean} false when a source, the compiler's settings or a package changed since the last build
 */
export function contractsAreBuilt(root) {
  const stamp = stampPath(root)
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hashSources(root)
}

/**
 * Records that `artifacts/` was made from the present sources.
 *
 * @param {string} root
 */
export function stampContracts(root) {
  mkdirSync(join(root, "artifacts"), { recursive: true })
  writeFileSync(stampPath(root), hashSources(root))
}

/** @param {string} root */
function stampPath(root) {
  return join(root, "artifacts", ".sources.sha256")
}

/** @param {string} root */
function hashSources(root) {
  const sources = listSolidity(root, "contracts")
  const hash = createHash("sha256")
  for (const path of [...sources, "hardhat.config.ts", "package-lock.json"]) {
    const bytes = readFileSync(join(root, path))
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest("hex")
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]} paths below `root`, sorted
 */
function listSolidity(root, folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return listSolidity(root, path)
      return entry.name.endsWith(".sol") ? [path] : []
    })
    .sort()
}
