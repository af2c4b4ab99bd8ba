import { describe, expect, it } from "vitest"
import { filesBelow, readText } from "./pages.ts"

const readme = readText("README.md")

describe("README.md", () => {
  it("shows lines that npm start prints", () => {
    const sources = filesBelow("scripts/start", ".ts").map(readText).join("\n")
    const excerpt = /```text\n(what [\s\S]*?)```/.exec(readme)?.[1] ?? ""
    const steps = excerpt.trim().split("\n").slice(1)
    const texts = steps.map((line) => (line.split(/ {2,}/)[0] ?? "").replace(/^\d+ /, ""))
    expect(texts.length).toBeGreaterThan(5)
    expect(texts.filter((text) => !sources.includes(text))).toEqual([])
  })

  it("names the folders", () => {
    const folders = [...readme.matchAll(/^- `(\w+)\/`:/gm)].map(([, folder]) => folder)
    expect(folders).toEqual(["contracts", "client", "gateway", "scripts", "bench", "test", "docs"])
  })
})
