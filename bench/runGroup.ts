// Runs one group of measurements and hands its rows to bench/main.ts, over the pipe that it opened.
import { writeFileSync } from "node:fs"
import { basename } from "node:path"
import { pathToFileURL } from "node:url"
import type { Group } from "./row.ts"

// For this process alone: how fast others start is itself measured.
delete process.env["NODE_COMPILE_CACHE"]
const [, , file = "", ...flags] = process.argv
const name = basename(file, ".ts")
const module = (await import(pathToFileURL(file).href)) as Record<string, Group | undefined>
const measure = module[name]
if (measure === undefined) throw new Error(`${file} exports no ${name}`)
const found = await measure({ quick: flags.includes("--quick") })
const { rows, plots } = "rows" in found ? found : { rows: found, plots: [] }
if (rows.length === 0) throw new Error(`${name} measured nothing`)
writeFileSync(3, JSON.stringify({ rows, plots }))
// What a node or a thread still holds open is no reason to stay.
process.exit()
