import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { GatewayConfigError } from "../../../gateway/errors/gateway.ts"
import { readSharedSecrets } from "../../../gateway/est/index.ts"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fleetroot-secrets-"))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const written = (text: string, mode = 0o600): string => {
  const path = join(folder, `${Math.random()}.json`)
  writeFileSync(path, text, { mode })
  return path
}

it("reads secrets by their names", async () => {
  const secrets = await readSharedSecrets(written(JSON.stringify({ A0: "5a".repeat(32), b1b2: "17".repeat(16) })))
  expect([...secrets]).toEqual([
    ["0xa0", new Uint8Array(32).fill(0x5a)],
    ["0xb1b2", new Uint8Array(16).fill(0x17)],
  ])
})

it("reads no file that others may read", async () => {
  await expect(readSharedSecrets(written("{}", 0o644))).rejects.toMatchObject({ code: "SECRET_FILE_EXPOSED" })
})

it.each([
  ["no JSON", "5a5a"],
  ["no object", "[]"],
  ["a name that is no hex", '{"factory": "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"}'],
  ["a secret of another length", '{"a0": "5a5a"}'],
  ["a secret that is no text", '{"a0": 5}'],
])("refuses %s, and repeats nothing of it", async (_what, text) => {
  const error = await readSharedSecrets(written(text)).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(GatewayConfigError)
  expect(String(error)).not.toMatch(/5a|factory|a0/)
})
