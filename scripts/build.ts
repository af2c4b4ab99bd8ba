// `npm run build`: the package in dist/. The compiler checks it and writes the types; the bundler joins the modules, for Node takes
// as long to open one as to run it. What is imported when it is needed stays a file of its own, and most packages stay packages.
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { noticesFor } from "./build/notices.ts"
import { ROOT, runNode } from "./check/run.ts"

type Manifest = { exports: Record<string, string | { types: string; default: string }>; bin: Record<string, string> }

const DIST = join(ROOT, "dist")
/** What is shared lies here, and so does what is found by a path beside the file that starts it. */
const PARTS = "parts"
const ENTRIES = {
  "client/index": "client/index.ts",
  "client/verify": "client/verify.ts",
  "client/node/index": "client/node/index.ts",
  "client/ethers/index": "client/ethers/index.ts",
  "scripts/cli/main": "scripts/cli/main.ts",
  [`${PARTS}/verifyThread`]: "client/node/verifyThread.ts",
}

/** Packages that every first answer needs and that are made of many modules: these are joined too (docs/decisions/0017). */
const JOINED = /^(cbor2|ox|@noble\/(curves|hashes))(\/|$)/
/** Where the joined packages' modules come from, their own packages included. */
const PACKAGES = join(ROOT, "node_modules")

rmSync(DIST, { recursive: true, force: true })
const exitCode = runNode("node_modules/typescript/bin/tsc", ["-p", "tsconfig.build.json"])
await bundle()

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest
const programs = Object.values(manifest.bin)
const doors = Object.values(manifest.exports).flatMap((door) =>
  typeof door === "string" ? [door] : Object.values(door),
)
const missing = [...doors, ...programs].filter((path) => !existsSync(join(ROOT, path)))

for (const path of programs) if (existsSync(join(ROOT, path))) chmodSync(join(ROOT, path), 0o755)
for (const path of missing) console.error(`package.json names ${path}, which the build did not make.`)
process.exitCode = exitCode === 0 && missing.length === 0 ? 0 : 1

async function bundle(): Promise<void> {
  const modules = await rolldown({
    cwd: ROOT,
    input: ENTRIES,
    platform: "node",
    tsconfig: false,
    external: (name, importer) =>
      !/^[./]/.test(name) && !JOINED.test(name) && (name.startsWith("node:") || !isJoined(importer)),
  })
  const { output } = await modules.write({
    dir: DIST,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: `${PARTS}/[name].js`,
    // The types have them. Here they would only be read past, at every start.
    comments: false,
  })
  await modules.close()

  const sources = output.flatMap((file) => (file.type === "chunk" ? Object.keys(file.modules) : []))
  writeFileSync(join(DIST, "THIRD-PARTY-NOTICES.txt"), noticesFor(sources.filter(isJoined)))
}

/** Whether a module is a package's. */
function isJoined(path: string | undefined): path is string {
  return path?.startsWith(PACKAGES) === true
}
