// `npm run generate` writes client/abi/ from the compiled contracts; with `--check` it only says what is stale.
import { fileURLToPath } from "node:url"
import { findStale, generateFiles, writeFiles } from "./generate.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const files = generateFiles(root)
const stale = findStale(root, files)

if (process.argv.includes("--check")) {
  for (const line of stale) console.error(`${line}: run \`npm run generate\``)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  writeFiles(root, files)
  for (const line of stale) console.error(`${line}: written`)
}
