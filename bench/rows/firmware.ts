import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"

const PROGRAM = fileURLToPath(new URL("../firmware.ts", import.meta.url))

type Told = {
  image: { bytes: number }
  openssl: { mibPerSecond: number }
  check: { mibPerSecond: number }
  ratio: number
  memoryOverBaseMiB: number
  target: { ratio: number; memoryMiB: number }
}

/** A large firmware image, checked beside `openssl dgst -sha256`: what bench/firmware.ts measures. */
export async function firmware({ quick }: GroupOptions): Promise<Measured> {
  const args = quick ? ["--gib", "0.25", "--rounds", "1"] : ["--gib", "1", "--rounds", "5"]
  // It ends with 1 where a target is missed; only without an answer it failed.
  const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8" })
  if (stderr !== "" || stdout === "") throw new Error(`no measurement: ${stderr}`)
  const { image, openssl, check, ratio, memoryOverBaseMiB, target } = JSON.parse(stdout) as Told
  const what = `firmware image of ${image.bytes / 2 ** 20} MiB`
  return [
    row(`${what}: checked`, check.mibPerSecond, "MiB/s", {
      peers: [{ name: "openssl dgst -sha256", value: openssl.mibPerSecond }],
    }),
    row(`${what}: share of openssl's speed`, ratio, "times", { atLeast: target.ratio }),
    row(`${what}: memory`, memoryOverBaseMiB, "MiB", { atMost: target.memoryMiB }),
  ]
}
