import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

const ROOT = new URL("../../", import.meta.url)

/** A text of the project, by its path from the root. */
export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8")
}

/** The paths from the root of all files below a folder whose names end so. */
export function filesBelow(folder: string, ...endings: readonly string[]): string[] {
  return readdirSync(fileURLToPath(new URL(folder, ROOT)), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(fileURLToPath(ROOT).length))
    .sort()
}

/** Every page that the project offers its readers. */
export function pages(): string[] {
  return ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...filesBelow("docs", ".md")]
}

/** A page's text without code blocks, in which `#` and brackets mean other things. */
export function prose(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, "")
}

/** The anchors of a page's headings, as forges make them: lower case, spaces to hyphens, punctuation dropped. */
export function anchorsOf(markdown: string): string[] {
  return [...prose(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  )
}

/**
 * Holds a page's block `<!-- generated: name -->` … `<!-- end -->` to `wanted`. With UPDATE_DOCS=1 writes it instead.
 */
export function expectGenerated(path: string, name: string, wanted: string): void {
  const text = readText(path)
  const block = new RegExp(`(<!-- generated: ${name} -->\n)([\\s\\S]*?)(<!-- end -->)`)
  const found = block.exec(text)
  expect(found, `${path} has a block "${name}"`).not.toBeNull()
  const body = `\n${wanted.trim()}\n\n`
  if (process.env["UPDATE_DOCS"] === "1") {
    writeFileSync(
      new URL(path, ROOT),
      text.replace(block, (_, start: string, __, end: string) => `${start}${body}${end}`),
    )
    return
  }
  expect(found?.[2], `${path}: run UPDATE_DOCS=1 vitest run test/docs`).toBe(body)
}
