import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { abiFile, errorsFile } from "./abiFile.ts"
import { readContracts } from "./readContracts.ts"
import { storageLayoutFile } from "./storageLayoutFile.ts"

/** Every generated file by its path from the project's root. */
export function generateFiles(root: string): Map<string, string> {
  const { deployable, errors } = readContracts(root)
  return new Map([
    ...deployable.map((contract): [string, string] => [`client/abi/${contract.name}.ts`, abiFile(contract, errors)]),
    ["client/abi/errors.ts", errorsFile(errors)],
    ["client/abi/storageLayout.ts", storageLayoutFile(deployable)],
  ])
}

/** One sentence for each file that is not what `files` says; all of client/abi/ is generated. */
export function findStale(root: string, files: Map<string, string>): string[] {
  const stale: string[] = []
  for (const [path, text] of files) {
    const full = join(root, path)
    if (!existsSync(full)) stale.push(`${path} is missing`)
    else if (readFileSync(full, "utf8") !== text) stale.push(`${path} is stale`)
  }
  return [...stale, ...listLeftovers(root, files).map((path) => `${path} belongs to no contract`)]
}

export function writeFiles(root: string, files: Map<string, string>): void {
  mkdirSync(join(root, "client/abi"), { recursive: true })
  for (const path of listLeftovers(root, files)) rmSync(join(root, path))
  for (const [path, text] of files) writeFileSync(join(root, path), text)
}

function listLeftovers(root: string, files: Map<string, string>): string[] {
  const folder = join(root, "client/abi")
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .map((name) => `client/abi/${name}`)
    .filter((path) => !files.has(path))
}
