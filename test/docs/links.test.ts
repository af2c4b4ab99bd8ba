import { existsSync } from "node:fs"
import { posix } from "node:path"
import { describe, expect, it } from "vitest"
import { anchorsOf, pages, prose, readText } from "./pages.ts"

/** The targets of all links of a page. */
function linksOf(markdown: string): string[] {
  return [...prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "")
}

/** Paths of files of the project that a page names in code style; a path that ends in … or has a * is a pattern. */
function pathsOf(markdown: string): string[] {
  const spans = [...prose(markdown).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? "")
  return spans.filter((span) => /^(client|contracts|docs|scripts|test|\.ci)\/[\w./-]*$/.test(span))
}

describe.each(pages())("%s", (page) => {
  const text = readText(page)

  it("links only to what is there", () => {
    const broken = linksOf(text).filter((target) => {
      if (/^https?:/.test(target)) return false
      const [path = "", anchor] = target.split("#")
      const file = path === "" ? page : posix.join(posix.dirname(page), path)
      if (!existsSync(new URL(`../../${file}`, import.meta.url))) return true
      return anchor !== undefined && !anchorsOf(readText(file)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it("names only files that are there", () => {
    expect(pathsOf(text).filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([])
  })

  it("leads to its own sections once each", () => {
    const anchors = anchorsOf(text)
    expect(anchors.filter((anchor, i) => anchors.indexOf(anchor) !== i)).toEqual([])
  })

  it("names no host that it does not need", () => {
    const hosts = [...text.matchAll(/https?:\/\/([^/\s)`"<>]+)/g)].map(([, host]) => host ?? "")
    expect(hosts.filter((host) => !/^(127\.0\.0\.1(:\d+)?|localhost(:\d+)?|.*\.example(:\d+)?)$/.test(host))).toEqual(
      [],
    )
  })
})
