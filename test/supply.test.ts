import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { findMissingEntries } from "../scripts/setup/completeLock.mjs"

const ROOT = fileURLToPath(new URL("..", import.meta.url))

type Entry = {
  version?: string
  resolved?: string
  integrity?: string
  hasInstallScript?: boolean
  dev?: boolean
  optional?: boolean
  link?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
}
type Manifest = {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  optionalDependencies: Record<string, string>
}

const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Entry & Partial<Manifest>> }
const manifest = JSON.parse(read("package.json")) as Manifest & Record<string, unknown>
const entries = Object.entries(lock.packages).filter(([path]) => path !== "")

/** Packages that bring install scripts. None is ever run; each stands here with the reason why it works without. */
const INSTALL_SCRIPTS: Record<string, string> = {
  "node_modules/@foundry-rs/anvil": "would copy the program of its platform package, which tests start directly",
  "node_modules/esbuild": "would check the program of its platform package, which it finds by itself",
  "node_modules/pkcs11js":
    "would compile itself; only who signs with a token builds it: npm rebuild --ignore-scripts=false pkcs11js",
  "node_modules/node": "would download Node; scripts/setup fetches it by hash instead",
}

/** Where the project is developed and tested; every package for these is locked by hash. */
const SUPPORTED = [{ os: "linux", cpu: "x64", libc: "glibc" }]

/** More direct dependencies than this need a talk first. */
const MOST_DEPENDENCIES = 22

describe("package-lock.json", () => {
  it("names no host, so that any registry serves", () => {
    expect(entries.filter(([, entry]) => entry.resolved !== undefined || entry.link === true)).toEqual([])
    expect(read("package-lock.json")).not.toMatch(/https?:\/\/[^"]*(registry|\.tgz)/)
  })

  it("pins the bytes of every package, other platforms' absent ones aside", () => {
    const unpinned = entries.filter(([, entry]) => !/^sha512-[\w+/]{86}==$/.test(entry.integrity ?? ""))
    const wrong = unpinned.filter(
      ([, entry]) => entry.optional !== true || SUPPORTED.some((place) => fits(entry, place)),
    )
    expect(wrong.map(([path]) => path)).toEqual([])
  })

  it("is complete, so that `npm ci` accepts it (else: node scripts/setup/completeLock.mjs)", () => {
    expect(findMissingEntries(lock)).toEqual({})
  })

  it("brings no install script that nobody has looked at", () => {
    const scripts = entries.filter(([, entry]) => entry.hasInstallScript === true).map(([path]) => path)
    expect(new Set(scripts)).toEqual(new Set(Object.keys(INSTALL_SCRIPTS)))
  })

  it("would be caught with a host, a missing hash or an unknown script", () => {
    const bad: Entry = { optional: true, os: ["linux"], cpu: ["x64"] }
    expect(SUPPORTED.some((place) => fits(bad, place))).toBe(true)
    expect(SUPPORTED.some((place) => fits({ ...bad, libc: ["musl"] }, place))).toBe(false)
    expect(SUPPORTED.some((place) => fits({}, place))).toBe(true)
  })
})

describe("package.json", () => {
  it("names exact versions only", () => {
    const ranges = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    })
    expect(ranges.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([])
  })

  it("agrees with the lock file", () => {
    const root = lock.packages[""]
    expect(root?.dependencies).toEqual(manifest.dependencies)
    expect(root?.devDependencies).toEqual(manifest.devDependencies)
    expect(root?.optionalDependencies).toEqual(manifest.optionalDependencies)
  })

  it("has few runtime dependencies, each with its reason in CONTRIBUTING.md", () => {
    const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    const [, section = ""] = read("CONTRIBUTING.md").split("\n## Dependencies\n")
    const listed = [...section.matchAll(/^\| `([^`]+)` +\| \S.*\|$/gm)].map(([, name]) => name)

    expect(new Set(listed)).toEqual(new Set(names))
    expect(names.length).toBeLessThanOrEqual(MOST_DEPENDENCIES)
  })

  it("asks for packages of the development platform by no other way", () => {
    // Nobody goes without it but who has a token, and it is compiled only there.
    expect(Object.keys(manifest.optionalDependencies)).toEqual(["pkcs11js"])
    expect(Object.keys(manifest)).not.toContain("bundleDependencies")
  })
})

describe("the set-up", () => {
  it("forbids install scripts and keeps hosts out of the lock file", () => {
    const settings = read(".npmrc").split("\n")
    expect(settings).toContain("ignore-scripts=true")
    expect(settings).toContain("omit-lockfile-registry-resolved=true")
    expect(settings).toContain("save-exact=true")
    expect(settings.filter((line) => /registry=|_auth|:\/\//.test(line))).toEqual([])
  })

  it("pins the Node that package.json names", () => {
    const binaries = JSON.parse(read("scripts/setup/nodeBinaries.json")) as {
      version: string
      packages: Record<string, { integrity: string }>
    }
    expect(binaries.version).toBe(manifest.devDependencies["node"])
    for (const { integrity } of Object.values(binaries.packages)) expect(integrity).toMatch(/^sha512-[\w+/]{86}==$/)
  })
})

function fits(entry: Entry, place: { os: string; cpu: string; libc: string }): boolean {
  const allows = (list: string[] | undefined, value: string): boolean => list === undefined || list.includes(value)
  return allows(entry.os, place.os) && allows(entry.cpu, place.cpu) && allows(entry.libc, place.libc)
}

function read(path: string): string {
  return readFileSync(`${ROOT}/${path}`, "utf8")
}
