import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { findMissingEntries } from "../scripts/setup/completeLock.mjs"
import { contractsAreBuilt, stampContracts } from "../scripts/setup/contracts.mjs"
import { checkIntegrity } from "../scripts/setup/install.mjs"
import { findProblems, isNewEnough, platform, writeStamp } from "../scripts/setup/state.mjs"

const ROOT = fileURLToPath(new URL("..", import.meta.url))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fleetroot-setup-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function problems(): string[] {
  const { packages, node } = findProblems(folder)
  return [...packages, ...node]
}

describe("findProblems", () => {
  const PACKAGES = { "": {}, "node_modules/a": { version: "1.0.0", integrity: "sha512-a" } }

  it("finds none in a fitting installation, and then asks nothing but its stamp", () => {
    layOut({ locked: PACKAGES, installed: PACKAGES })
    expect(problems()).toEqual([])

    rmSync(join(folder, "node_modules/.package-lock.json"))
    expect(problems()).toEqual([])
  })

  it("accepts that an optional package of another platform is absent", () => {
    const locked = { ...PACKAGES, "node_modules/b": { version: "1.0.0", optional: true } }
    layOut({ locked, installed: PACKAGES })
    expect(problems()).toEqual([])
  })

  it("sees that nothing is installed", () => {
    write("package-lock.json", lockOf(PACKAGES))
    expect(findProblems(folder)).toEqual({
      packages: ["node_modules is missing"],
      node: ["node_modules/.bin/node is missing"],
    })
  })

  it("sees an installation that was cut short", () => {
    layOut({ locked: PACKAGES, installed: PACKAGES })
    rmSync(join(folder, "node_modules/.package-lock.json"))
    expect(problems()).toEqual(["node_modules was not finished"])
  })

  it.each([
    ["another version", { "node_modules/a": { version: "1.0.1", integrity: "sha512-a" } }],
    ["other bytes", { "node_modules/a": { version: "1.0.0", integrity: "sha512-b" } }],
    ["a package that is missing", {}],
    ["a package too many", { ...PACKAGES, "node_modules/b": { version: "1.0.0" } }],
  ])("sees %s", (_what, installed) => {
    layOut({ locked: PACKAGES, installed })
    expect(problems()).toEqual([expect.stringContaining("stale")])
  })

  it("sees that package-lock.json changed after the last installation", () => {
    layOut({ locked: PACKAGES, installed: PACKAGES })
    writeStamp(folder)
    write("package-lock.json", lockOf({ ...PACKAGES, "node_modules/b": { version: "1.0.0" } }))
    expect(problems()).toEqual(["node_modules is stale: node_modules/b is missing, wanted 1.0.0"])
  })

  it("sees a missing Node, one that is too old and one that does not run", () => {
    layOut({ locked: PACKAGES, installed: PACKAGES })
    writeNode("v20.20.2")
    expect(problems()).toEqual([expect.stringContaining("v20.20.2")])
    write("node_modules/.bin/node", "not a program")
    expect(problems()).toEqual([expect.stringContaining("none")])
    rmSync(join(folder, "node_modules/.bin/node"))
    expect(problems()).toEqual(["node_modules/.bin/node is missing"])
  })

  it("sees that npm left the native network out", () => {
    layOut({ locked: PACKAGES, installed: PACKAGES })
    rmSync(join(folder, `node_modules/@nomicfoundation/edr-${platform()}-gnu/edr.node`))
    expect(problems()).toEqual([expect.stringContaining("EDR")])
  })

  function layOut({ locked, installed }: { locked: object; installed: object }): void {
    write("package-lock.json", lockOf(locked))
    write("node_modules/.package-lock.json", lockOf(installed))
    write(`node_modules/@nomicfoundation/edr-${platform()}-gnu/edr.node`, "")
    writeNode("v24.0.0")
  }
})

describe("isNewEnough", () => {
  it.each([
    ["v22.18.0", true],
    ["22.18.0", true],
    ["v22.18.1", true],
    ["v24.0.0", true],
    ["v100.0.0", true],
    ["v22.17.9", false],
    ["v20.20.2", false],
    ["v9.99.99", false],
    ["none", false],
    ["", false],
  ])("judges %s", (version, answer) => {
    expect(isNewEnough(version, "22.18.0")).toBe(answer)
  })
})

describe("checkIntegrity", () => {
  const HASH = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

  it("accepts the pinned bytes and no others", () => {
    expect(() => checkIntegrity(new Uint8Array(), HASH, "x")).not.toThrow()
    expect(() => checkIntegrity(new Uint8Array(1), HASH, "x")).toThrow("x is not what this project pins")
  })
})

describe("contractsAreBuilt", () => {
  it("sees each change of what the compiler reads", () => {
    for (const path of ["contracts/A.sol", "contracts/libraries/B.sol", "hardhat.config.ts", "package-lock.json"]) {
      write(path, "1")
    }
    expect(contractsAreBuilt(folder)).toBe(false)

    for (const change of ["contracts/A.sol", "contracts/libraries/B.sol", "contracts/C.sol", "hardhat.config.ts"]) {
      stampContracts(folder)
      expect(contractsAreBuilt(folder)).toBe(true)
      write(change, `${change} changed`)
      expect(contractsAreBuilt(folder)).toBe(false)
    }
  })
})

describe("findMissingEntries", () => {
  it("adds the platform packages that npm left out, and only those", () => {
    const optionalDependencies = { "@x/linux-x64-musl": "1.2.3", "x-win32-arm64": "^1.2.3", "x-darwin-amd64": "1.2.3" }
    const packages = {
      "": {},
      "node_modules/x": { version: "1.2.3", dev: true, optionalDependencies },
      "node_modules/x/node_modules/x-darwin-amd64": { version: "1.2.3", optional: true },
    }
    expect(findMissingEntries({ packages })).toEqual({
      "node_modules/@x/linux-x64-musl": {
        version: "1.2.3",
        cpu: ["x64"],
        dev: true,
        libc: ["musl"],
        optional: true,
        os: ["linux"],
      },
      "node_modules/x-win32-arm64": { version: "1.2.3", cpu: ["arm64"], dev: true, optional: true, os: ["win32"] },
    })
  })

  it("refuses to invent an entry for a package of every platform", () => {
    const packages = { "node_modules/x": { optionalDependencies: { fsevents: "1.0.0" } } }
    expect(() => findMissingEntries({ packages })).toThrow("fsevents names no platform")
  })
})

describe("setup.mjs", () => {
  it("says nothing when there is nothing to do", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/setup/setup.mjs"], {
      cwd: ROOT,
      encoding: "utf8",
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" })
  })
})

function write(path: string, text: string): void {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, text)
}

function writeNode(version: string): void {
  write("node_modules/.bin/node", `#!/bin/sh\necho ${version}\n`)
  chmodSync(join(folder, "node_modules/.bin/node"), 0o755)
}

function lockOf(packages: object): string {
  return JSON.stringify({ packages })
}
