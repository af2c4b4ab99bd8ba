import { describe, expect, it } from "vitest"
import { errorsAbi } from "../../client/abi/errors.ts"
import { revertHint } from "../../client/ledger/revertHints.ts"
import { contractErrorLine, contractErrorsOf } from "./contractErrors.ts"
import { anchorsOf, expectGenerated, filesBelow, readText } from "./pages.ts"

const PAGE = "docs/errors.md"
const page = readText(PAGE)
const anchors = anchorsOf(page)
const sources = ["client", "scripts", "gateway", "contracts"].flatMap((folder) => below(folder, ".ts", ".mjs"))

/** Every class that extends an error of ours, with its code where it sets one. */
const classes = sources.flatMap((path) => {
  const bodies = readText(path).split(/^(?:export )?(?=(?:abstract )?class )/m)
  return bodies.flatMap((body) => {
    const [, name, parent] = /^(?:abstract )?class (\w+Error) extends (\w*Error)\b/.exec(body) ?? []
    const code = /readonly code(?:: string)? = "(\w+)"/.exec(body)?.[1]
    return name === undefined ? [] : [{ path, name, parent, code }]
  })
})

const interfaces = below("contracts/interfaces", ".sol").flatMap((path) =>
  contractErrorsOf(/(\w+)\.sol$/.exec(path)?.[1] ?? path, readText(path)),
)

function below(folder: string, ...endings: string[]): string[] {
  try {
    return filesBelow(folder, ...endings)
  } catch {
    return [] // a folder that has no file yet
  }
}

describe("docs/errors.md", () => {
  it("finds the error classes", () => {
    expect(classes.length).toBeGreaterThan(90)
    expect(interfaces.length).toBeGreaterThan(55)
  })

  it("explains every class, with its code", () => {
    const missing = classes.filter(({ name, code }) => !page.includes(`\`${name}\``) || !page.includes(`\`${code}\``))
    expect(missing).toEqual([])
  })

  it("has an anchor for every reference to it", () => {
    const references = sources.flatMap((path) =>
      [...readText(path).matchAll(/docs\/errors\.md#([\w-]+)/g)].map(([, anchor]) => `${path} → ${anchor}`),
    )
    const dangling = references.filter((reference) => !anchors.includes(reference.split(" → ")[1] ?? ""))
    expect(references.length).toBeGreaterThan(90)
    expect(dangling).toEqual([])
  })

  it("has an anchor for every error that is thrown, named like its code", () => {
    const parents = new Set(classes.map(({ parent }) => parent))
    const thrown = classes.filter(({ name }) => !parents.has(name))
    const expected = thrown.map(({ code }) => (code ?? "").toLowerCase().replaceAll("_", "-"))
    expect(expected.filter((anchor) => !anchors.includes(anchor))).toEqual([])
  })

  it("gives each anchor and each code once", () => {
    const codes = classes.map(({ code }) => code)
    expect(anchors.filter((anchor, i) => anchors.indexOf(anchor) !== i)).toEqual([])
    expect(codes.filter((code, i) => codes.indexOf(code) !== i)).toEqual([])
  })

  it("explains every reason of a verdict that is not good", () => {
    const verdict = readText("client/status/verdict.ts")
    const union = /export type RefusalReason =([\s\S]*?)\n\n/.exec(verdict)?.[1] ?? ""
    const reasons = [...union.matchAll(/"(\w+)"/g)].map(([, reason]) => reason ?? "")
    expect(reasons).toContain("notAnchored")
    expect(reasons.filter((reason) => !page.includes(`\`${reason}\``))).toEqual([])
  })

  it("explains every code of a bad row", () => {
    const union = /export type BatchFindingCode =([\s\S]*?)\n\n/.exec(readText("client/errors/batch.ts"))?.[1] ?? ""
    const codes = [...union.matchAll(/"(\w+)"/g)].map(([, code]) => code ?? "")
    expect(codes).toContain("wrongIssuer")
    expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([])
  })

  it("lists the contracts' errors as their interfaces and the hints explain them", () => {
    const groups = Map.groupBy(interfaces, ({ contract }) => contract)
    const text = [...groups].map(([contract, errors]) =>
      [`### ${contract}`, "", ...errors.map((error) => contractErrorLine(error, revertHint(error.name)))].join("\n"),
    )
    expectGenerated(PAGE, "contract-errors", text.join("\n\n"))
  })

  it("explains every error that a contract can answer with", () => {
    const missing = errorsAbi.map(({ name }) => name).filter((name) => !new RegExp(`\`${name}[\`(]`).test(page))
    expect(missing).toEqual([])
  })
})
