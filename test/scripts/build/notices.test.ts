import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { noticesFor } from "../../../scripts/build/notices.ts"

const MODULES = ["cbor2", "@noble/curves/nist.js", "ox/AbiParameters", "ox/Address"].map((name) =>
  fileURLToPath(import.meta.resolve(name)),
)
const folder = mkdtempSync(join(tmpdir(), "fleetroot-notices-"))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe("noticesFor", () => {
  it("names each package once, with its version and its licence", () => {
    const text = noticesFor(MODULES)
    expect(text.match(/^(cbor2|@noble\/curves|ox) \d+\.\d+\.\d+$/gm)?.map((line) => line.split(" ")[0])).toEqual([
      "@noble/curves",
      "cbor2",
      "ox",
    ])
    expect(text.match(/permission is hereby granted/gi)).toHaveLength(3)
  })

  it("refuses a package without a licence, and a module of no package", () => {
    const bare = join(folder, "node_modules", "bare")
    mkdirSync(bare, { recursive: true })
    writeFileSync(join(bare, "package.json"), JSON.stringify({ name: "bare", version: "1.0.0" }))
    expect(() => noticesFor([join(bare, "index.js")])).toThrow("bare 1.0.0 has no licence text")
    expect(() => noticesFor(["/somewhere/else.js"])).toThrow("is in no package")
  })
})
