import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"

const BENCH = fileURLToPath(new URL("../../bench/firmware.ts", import.meta.url))

it("checks a large image in bounded memory", () => {
  // How fast it is depends on what else runs here, so only the measurement by hand looks at that.
  const { stdout, stderr } = spawnSync(process.execPath, [BENCH, "--gib", "0.25", "--rounds", "1"], {
    encoding: "utf8",
  })
  expect(stderr).toBe("")
  const { memoryOverBaseMiB, image, ratio } = JSON.parse(stdout) as Record<string, number> & {
    image: { bytes: number }
  }
  expect(image.bytes).toBe(2 ** 28)
  expect(memoryOverBaseMiB).toBeLessThan(64)
  expect(ratio).toBeGreaterThan(0)
})
