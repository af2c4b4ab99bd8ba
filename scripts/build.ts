// `npm run build`: the package in dist/, by the compiler alone.
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { ROOT, runNode } from "./check/run.ts"

type Manifest = { exports: Record<string, string | { types: string; default: string }>; bin: Record<string, string> }

rmSync(join(ROOT, "dist"), { recursive: true, force: true })
const exitCode = runNode("node_modules/typescript/bin/tsc", ["-p", "tsconfig.build.json"])

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Manifest
const programs = Object.values(manifest.bin)
const doors = Object.values(manifest.exports).flatMap((door) =>
  typeof door === "string" ? [door] : Object.values(door),
)
const missing = [...doors, ...programs].filter((path) => !existsSync(join(ROOT, path)))

for (const path of programs) if (existsSync(join(ROOT, path))) chmodSync(join(ROOT, path), 0o755)
for (const path of missing) console.error(`package.json names ${path}, which the build did not make.`)
process.exitCode = exitCode === 0 && missing.length === 0 ? 0 : 1
