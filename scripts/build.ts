// `npm run build`: the package in dist/. The compiler checks it and writes the types; the bundler joins the modules, for Node takes
// as long to open one as to run it. Packages stay packages, and what is imported when it is needed stays a file of its own.
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { rolldown } from "rolldown"
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
    external: (name) => !/^[./]/.test(name),
  })
  await modules.write({
    dir: DIST,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: `${PARTS}/[name].js`,
    // The types have them. Here they would only be read past, at every start.
    comments: false,
  })
  await modules.close()
}
