import { StandardMerkleTree } from "@openzeppelin/merkle-tree"
import { spawnSync } from "node:child_process"
import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { row } from "../row.ts"
import type { GroupOptions, Measured, Row } from "../row.ts"
import { randomHashes } from "../worlds/fleet.ts"

const BUILDER = fileURLToPath(new URL("../worlds/buildManifest.ts", import.meta.url))
const HASH = 32
const MEBI = 2 ** 20

/** Root and manifest from credential hashes in a file, each in a process of its own, beside OpenZeppelin's tree of fewer. */
export async function build({ quick }: GroupOptions): Promise<Measured> {
  const sizes = quick ? [1_000_000] : [1_000_000, 10_000_000]
  const targets = new Map([
    [1_000_000, 1.5],
    [10_000_000, 16],
  ])
  // Their tree takes seconds for thousands and grows in proportion: its time for a million is worked out, not run.
  const theirs = quick ? 1_000 : 10_000
  const leaves = Array.from({ length: theirs }, (_, i) => [`0x${i.toString(16).padStart(64, "0")}`])
  const started = performance.now()
  StandardMerkleTree.of(leaves, ["bytes32"])
  const each = (performance.now() - started) / 1000 / theirs

  const folder = await mkdtemp(join(tmpdir(), "fleetroot-bench-"))
  const rows: Row[] = []
  try {
    for (const size of sizes) {
      const input = join(folder, `${size}.hashes`)
      await writeHashes(input, size)
      const { seconds, cpuSeconds, memoryMiB } = buildFrom(input, join(folder, `${size}.manifest`))
      const what = `build a batch from ${size.toLocaleString("en-US")} credential hashes on disk`
      const peers = [
        { name: `@openzeppelin/merkle-tree, extrapolated from ${theirs.toLocaleString("en-US")}`, value: each * size },
      ]
      rows.push(
        row(`${what}: root and manifest`, seconds, "s", { atMost: targets.get(size) ?? Number.NaN, peers }),
        row(`${what}: processor time`, cpuSeconds, "s"),
        row(`${what}: memory of the whole process`, memoryMiB, "MiB", { atMost: 250 }),
      )
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return rows
}

async function writeHashes(path: string, count: number): Promise<void> {
  const file = await open(path, "w")
  const part = 250_000
  for (let written = 0; written < count; written += part)
    await file.write(randomHashes(Math.min(part, count - written)))
  await file.close()
}

function buildFrom(input: string, output: string): { seconds: number; cpuSeconds: number; memoryMiB: number } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BUILDER, input, output], { encoding: "utf8" })
  if (status !== 0) throw new Error(`the batch was not built: ${stderr}`)
  const told = JSON.parse(stdout) as { seconds: number; cpuSeconds: number; maxKiB: number; size: number }
  if (told.size * HASH < HASH) throw new Error("the batch is empty")
  return { ...told, memoryMiB: (told.maxKiB * 1024) / MEBI }
}
