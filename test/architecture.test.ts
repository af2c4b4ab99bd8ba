import { execFileSync } from "node:child_process"
import { globSync, readFileSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { type Files, findCycles, findWrongArrows } from "./helpers/importRules.ts"
import { readImports } from "./helpers/readImports.ts"

const ROOT = fileURLToPath(new URL("..", import.meta.url))
const FOLDERS = ["client", "gateway", "scripts", "explorer", "bench", "test"]

const project: Files = new Map(
  globSync([...FOLDERS.map((folder) => `${folder}/**/*.ts`), "*.config.ts"], { cwd: ROOT }).map((path) => {
    const name = path.replaceAll("\\", "/")
    return [name, readFileSync(`${ROOT}/${name}`, "utf8")]
  }),
)

describe("imports", () => {
  it("point one way only", () => {
    expect(findWrongArrows(project)).toEqual([])
  })

  it("form no cycle", () => {
    expect(findCycles(project)).toEqual([])
  })

  it("are found in the project, so that the rules have something to judge", () => {
    const imports = [...project.values()].flatMap(readImports)
    expect(imports.length).toBeGreaterThan(project.size)
  })
})

/** What the reader has to see, each in its own file, against what may not be imported there. */
const WRITTEN: [how: string, source: (specifier: string) => string][] = [
  ["a static import", (specifier) => `import { a } from "${specifier}"`],
  ["an import over several lines", (specifier) => `import {\n  a, // "x"\n  type B,\n} from "${specifier}"`],
  ["an import with a default and a namespace", (specifier) => `import a, * as b from '${specifier}'`],
  ["an import for side effects", (specifier) => `import "${specifier}"`],
  ["an import of types", (specifier) => `import type { A } from "${specifier}"`],
  ["a re-export", (specifier) => `export { a } from "${specifier}"`],
  ["a re-export of all", (specifier) => `export * from "${specifier}"`],
  ["a re-export of types", (specifier) => `export type { A } from "${specifier}"`],
  ["a dynamic import", (specifier) => `const a = await import("${specifier}")`],
  ["a dynamic import of a template", (specifier) => `const a = await import(\`${specifier}\`)`],
  ["a type taken from an import", (specifier) => `type A = import("${specifier}").A`],
  ["a required module", (specifier) => `const a = require("${specifier}")`],
  ["an import behind odd text", (specifier) => `const r = /["'\`]/, s = "/*"; import a from "${specifier}" // */`],
]

const PLANTED: [what: string, from: string, specifier: string][] = [
  ["up, from x509 to the ledger", "client/x509/planted.ts", "../ledger/planted.ts"],
  ["sideways, from x509 to cose", "client/x509/planted.ts", "../cose/planted.ts"],
  ["up, from the errors", "client/errors/planted.ts", "../crypto/planted.ts"],
  ["into client/node from the library", "client/status/planted.ts", "../node/planted.ts"],
  ["Node's modules outside client/node", "client/merkle/planted.ts", "node:fs"],
  ["Node's modules in the crypto folder, for more than types", "client/crypto/planted.ts", "node:crypto"],
  ["Node's modules without their prefix", "client/ledger/planted.ts", "fs"],
  ["a wrapped package outside its folder", "client/ledger/planted.ts", "@peculiar/asn1-schema"],
  ["a package in a folder that takes none", "client/merkle/planted.ts", "viem"],
  ["past the door, from the gateway", "gateway/ocsp/planted.ts", "../../client/x509/planted.ts"],
  ["the gateway from the client", "client/status/planted.ts", "../../gateway/ocsp/planted.ts"],
  ["the scripts from the gateway", "gateway/ocsp/planted.ts", "../../scripts/planted.ts"],
  ["tests from a script", "scripts/planted.ts", "../test/planted.ts"],
  ["client/node from a page", "explorer/planted.ts", "../client/node/index.ts"],
  ["a file that is not there", "client/status/planted.ts", "./nowhere.ts"],
  ["from a folder that no rule knows", "client/unheard/planted.ts", "../errors/planted.ts"],
]

describe("the reader of imports", () => {
  it.each(WRITTEN)("sees %s", (_how, source) => {
    expect(readImports(source("./planted.ts")).map(({ specifier }) => specifier)).toEqual(["./planted.ts"])
  })

  it("does not take text for code", () => {
    const text = `// import "./a.ts"\n/* import "./b.ts" */\nconst c = 'import "./c.ts"'\nconst d = { from: "./d.ts" }`
    expect(readImports(text)).toEqual([])
  })

  it("knows which imports are certainly gone at run time", () => {
    const judge = (source: string): boolean | undefined => readImports(source)[0]?.typeOnly
    expect(judge(`import type { A } from "x"`)).toBe(true)
    expect(judge(`import type * as a from "x"`)).toBe(true)
    expect(judge(`export type { A } from "x"`)).toBe(true)
    expect(judge(`type A = typeof import("x")`)).toBe(true)
    expect(judge(`import { type A, b } from "x"`)).toBe(false)
    expect(judge(`import type from "x"`)).toBe(false)
    expect(judge(`const a = import("x")`)).toBe(false)
  })

  it("refuses a computed import in the client", () => {
    const files = new Map([["client/status/planted.ts", "const a = await import(`./${name}.ts`)"]])
    expect(findWrongArrows(files)).toHaveLength(1)
  })

  it.each(PLANTED)("catches a planted arrow: %s", (_what, from, specifier) => {
    const targets = PLANTED.map(([, path]): [string, string] => [path, ""])
    const files = new Map([
      ...targets,
      ["client/node/index.ts", ""],
      ["test/planted.ts", ""],
      ["scripts/planted.ts", ""],
    ])
    files.set("client/cose/planted.ts", "").set("client/crypto/planted.ts", "").set("client/node/planted.ts", "")
    files.set(from, `import "${specifier}"`)

    const found = findWrongArrows(files)

    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${from}:1 imports ${specifier}`)
  })

  it("catches a planted cycle, also of types", () => {
    const files = new Map([
      ["client/status/a.ts", `import { b } from "./b.ts"`],
      ["client/status/b.ts", `import type { C } from "./c.ts"`],
      ["client/status/c.ts", `export * from "./a.ts"`],
    ])
    expect(findCycles(files)).toEqual([
      ["client/status/a.ts", "client/status/b.ts", "client/status/c.ts", "client/status/a.ts"],
    ])
  })
})

describe("the repository", () => {
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0").filter(Boolean)

  it("holds no file over 1 MiB", () => {
    const large = tracked.filter(
      (path) => (statSync(`${ROOT}/${path}`, { throwIfNoEntry: false })?.size ?? 0) > 2 ** 20,
    )
    expect(large).toEqual([])
  })

  it("holds no test that is switched off", () => {
    const tests = tracked.filter((path) => /^test\/.*\.(ts|sol)$/.test(path))
    const off = tests.filter((path) => isSwitchedOff(readFileSync(`${ROOT}/${path}`, "utf8")))
    expect(off).toEqual([])
  })

  // The signs in the middle keep these lines themselves from being found.
  it.each([
    `it§.skip("x", () => {})`,
    `describe§.only("x", () => {})`,
    `test§.concurrent.todo("x")`,
    `x§it("x", () => {})`,
    `  // §it("x", () => {`,
    `function §skip_test_status() public {`,
    `vm§.skip(true);`,
    `// function §test_status() public {`,
  ])("would notice %s", (line) => {
    expect(isSwitchedOff(`a\n${line.replace("§", "")}\nb`)).toBe(true)
  })
})

function isSwitchedOff(source: string): boolean {
  return [
    /\b(?:describe|it|test|suite)(?:\.\w+)*\.(?:only|skip|todo|fails)\b/,
    /^\s*(?:\/\/\s*)?(?:xit|fit|xtest|xdescribe|fdescribe)\(/m,
    /^\s*\/\/\s*(?:describe|it|test)(?:\.\w+)*\(/m,
    /^\s*(?:\/\/\s*)?function (?:skip|x|_|disabled)_?test\w*\(/im,
    /^\s*\/\/\s*function (?:test|invariant)\w*\(/m,
    /\bvm\.skip\(/,
  ].some((pattern) => pattern.test(source))
}
