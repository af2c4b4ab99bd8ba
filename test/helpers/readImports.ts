export type Import = {
  /** As written: "./a.ts", "viem", "node:fs". Undefined when it is computed, which no reader can follow. */
  specifier: string | undefined
  line: number
  /** Certainly gone at run time: `import type`, `export type`, `typeof import`. */
  typeOnly: boolean
}

/** Every import of a TypeScript file: static, for side effects, of types, dynamic, re-exports, `require` and mocks of modules. */
export function readImports(source: string): Import[] {
  const { code, strings } = hideStrings(source)
  const found: Import[] = []
  for (const match of code.matchAll(PATTERN)) {
    const { text, bare, called } = match.groups ?? {}
    const index = text ?? bare ?? called
    found.push({
      specifier: index === undefined ? undefined : strings[Number(index)],
      line: code.slice(0, match.index).split("\n").length,
      typeOnly:
        /^(?:import|export)\s+type\s+(?!from\s*«)[\w$*{]/.test(match[0]) ||
        /\btypeof\s+$/.test(code.slice(0, match.index)),
    })
  }
  return found
}

// In hidden code a plain string reads "«7»", with its number in the list, and a template with holes reads "«»".
const STRING = String.raw`«(?<text>\d+)»`
const PATTERN = new RegExp(
  [
    // import x, { type y } from "z"; import type * as x from "z"; export * from "z"; export { x } from "z"
    String.raw`(?<![\w$.])(?:import|export)\s+(?:type\s+)?[\w$*{][\w$*{},\s]*?(?<![\w$])from\s*${STRING}`,
    // import "z"
    String.raw`(?<![\w$.])import\s*${STRING.replace("text", "bare")}`,
    // import("z"), typeof import("z"), require("z"), vi.mock("z"), and the same with something computed
    String.raw`(?<![\w$.])(?:import|require|vi\.(?:do)?[mM]ock|vi\.importActual)\s*(?:<[^()]*>)?\(\s*(?:${STRING.replace("text", "called")}\s*[,)]|(?<computed>[^\s)]))`,
  ].join("|"),
  "g",
)

/** Takes comments out and replaces strings by numbers, so that no text is taken for code; lines stay where they are. */
function hideStrings(source: string): { code: string; strings: string[] } {
  const strings: string[] = []
  const code = source.replaceAll(TOKEN, (token: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Record<string, string | undefined>
    if (groups["comment"] !== undefined) return blank(token)
    if (groups["regex"] !== undefined) return `${groups["before"]}${blank(groups["regex"])}`
    if (groups["template"] !== undefined && token.includes("${")) return `«»${blank(token)}`
    strings.push(unescape(token.slice(1, -1)))
    return `«${strings.length - 1}»${blank(token)}`
  })
  return { code, strings }
}

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)`,
    String.raw`(?<string>"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')`,
    String.raw`(?<template>${"`"}(?:[^${"`"}\\]|\\[\s\S])*${"`"})`,
    // A slash starts a regular expression only where a value may start.
    String.raw`(?<before>(?:^|[=(,:;!&|?{}\[+\n]|=>|\breturn)[ \t]*)(?<regex>\/(?![*\/])(?:[^\/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)`,
  ].join("|"),
  "g",
)

function blank(text: string): string {
  return "\n".repeat(text.split("\n").length - 1)
}

function unescape(text: string): string {
  return text.replaceAll(
    /\\(u\{([\da-f]+)\}|u([\da-f]{4})|x([\da-f]{2})|[\s\S])/gi,
    (whole: string, _rest, a, b, c) => {
      const code = (a ?? b ?? c) as string | undefined
      return code === undefined ? whole.slice(1) : String.fromCodePoint(Number.parseInt(code, 16))
    },
  )
}
