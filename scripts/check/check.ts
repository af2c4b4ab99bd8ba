// `npm run check`: everything that a change must pass. With step names as arguments, those steps only.
import { existsSync } from "node:fs"
import { join } from "node:path"
import { ROOT, runNode } from "./run.ts"
import { runSolhint } from "./solhint.ts"
import { runTests } from "./runTests.ts"

const STEPS: Record<string, () => boolean> = {
  build: () => runNode("node_modules/hardhat/dist/src/cli.js", ["build"]) === 0,
  generated: () => runNode("scripts/generate/main.ts", ["--check"]) === 0,
  format: () => runNode("node_modules/prettier/bin/prettier.cjs", ["--check", "--log-level", "warn", "."]) === 0,
  lint: () => [runOxlint(), runSolhint()].every(Boolean),
  types: () => runNode("node_modules/typescript/bin/tsc", ["--noEmit", "-p", "."]) === 0,
  tests: () => runTests({ refuseSkipped: process.env["CI"] === "true" }),
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => STEPS[name] === undefined)
if (unknown !== undefined) {
  console.error(`There is no step ${unknown}; the steps are ${Object.keys(STEPS).join(", ")}.`)
  process.exit(2)
}

const failed: string[] = []
for (const [name, step] of Object.entries(STEPS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\ncheck: ${name} …`)
  const start = Date.now()
  const passed = step()
  if (!passed) failed.push(name)
  // The tests' own closing lines stay the last ones.
  if (name !== "tests") console.log(`check: ${name} ${passed ? "passed" : "FAILED"} (${(Date.now() - start) / 1000} s)`)
}
if (failed.length > 0) console.error(`\ncheck: FAILED: ${failed.join(", ")}`)
process.exitCode = failed.length === 0 ? 0 : 1

function runOxlint(): boolean {
  const folders = ["client", "gateway", "scripts", "explorer", "bench", "test", "hardhat.config.ts", "vitest.config.ts"]
  const present = folders.filter((path) => existsSync(join(ROOT, path)))
  // Its pictures are coloured even where there is no terminal.
  const format = process.stdout.isTTY ? "default" : "unix"
  return runNode("node_modules/oxlint/bin/oxlint", ["-f", format, ...present]) === 0
}
