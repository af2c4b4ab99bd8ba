import { describe, expect, it } from "vitest"
import { filesBelow, pages, readText } from "./pages.ts"

const GLOSSARY = "docs/glossary.md"
const glossary = readText(GLOSSARY)

/** The words that the glossary rules out. */
const avoided = [...glossary.matchAll(/\bNot: ([^.]+)\./g)].flatMap(([, list]) => (list ?? "").split(/,\s*/))

/** What people read: pages, interfaces, comments, messages and names in code. */
const texts = [
  ...pages().filter((page) => page !== GLOSSARY),
  ...["client", "contracts", "scripts"].flatMap((folder) => filesBelow(folder, ".ts", ".mjs", ".sol")),
]

describe("docs/glossary.md", () => {
  it("rules words out", () => {
    expect(avoided).toContain("vendor")
    expect(avoided.length).toBeGreaterThan(8)
  })

  it.each(avoided)("is kept to: nobody writes %s", (word) => {
    const pattern = new RegExp(`(?<![a-z])${word.replaceAll(" ", "[\\s_-]*")}s?(?![a-z])`, "i")
    const hits = texts.filter((path) => pattern.test(readText(path)))
    expect(hits).toEqual([])
  })

  it("explains each word once", () => {
    const words = [...glossary.matchAll(/\*\*([^*]+)\*\*(?=[:,]| \()/g)].map(([, word]) => word ?? "")
    expect(words.length).toBeGreaterThan(50)
    expect(words.filter((word, i) => words.indexOf(word) !== i)).toEqual([])
  })
})
