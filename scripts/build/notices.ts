import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The names under which packages ship their licence. */
const LICENCE_FILES = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license"]

/**
 * Name, version and licence of each package that modules of dist/ were made of.
 *
 * @param modules paths of these modules, each in a package below some `node_modules`
 * @throws Error for a package without a licence text.
 */
export function noticesFor(modules: readonly string[]): string {
  const folders = new Set(modules.map(packageFolder))
  const notices = new Set([...folders].toSorted().map(noticeOf))
  return `This package holds parts of the following.\n\n${[...notices].join("\n")}`
}

function packageFolder(path: string): string {
  const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]
  if (found === undefined) throw new Error(`${path} is in no package.`)
  return found
}

function noticeOf(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>
  const file = LICENCE_FILES.map((known) => join(folder, known)).find((path) => existsSync(path))
  if (file === undefined)
    throw new Error(`${name} ${version} has no licence text: none of ${LICENCE_FILES.join(", ")}.`)
  return `${"-".repeat(80)}\n${name} ${version}\n\n${readFileSync(file, "utf8").trim()}\n`
}
