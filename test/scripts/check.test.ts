import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { closingLine, findBelowFloor, isFloorLow, raiseFloor } from "../../scripts/check/counts.ts"
import { vitestCounts } from "../../scripts/check/vitestCounts.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))

let folder: string
beforeEach(() => {
  // Inside the project, so that the runners find their packages; cache/ is not tracked.
  mkdirSync(join(ROOT, "cache"), { recursive: true })
  folder = mkdtempSync(join(ROOT, "cache/planted-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe("the count of vitest's tests", () => {
  it("comes from a real run: what passed, what failed, what was skipped and what could not be loaded", () => {
    write("vitest.config.mjs", `export default { test: { globals: true, reporters: [] } }`)
    write("a.test.mjs", `it("a", () => {}); it("b", () => {}); it("c", () => { throw new Error("planted") })`)
    write("b.test.mjs", `it§.skip("d", () => {}); it("e", () => {})`.replace("§", ""))
    write("c.test.mjs", `throw new Error("planted")`)

    const args = ["run", "--root", folder, "--reporter", "json", `--outputFile.json=${folder}/out.json`]
    const { status } = run("node_modules/vitest/vitest.mjs", args, ROOT)

    expect(status).toBe(1)
    expect(vitestCounts(readFileSync(join(folder, "out.json"), "utf8"))).toEqual({ passed: 3, failed: 2, skipped: 1 })
  })
})

describe("the count of Solidity tests", () => {
  const config = `
    import { defineConfig } from "hardhat/config"
    import { fileURLToPath } from "node:url"
    export default defineConfig({
      paths: { tests: { solidity: "./test" } },
      solidity: { version: "0.8.37", path: fileURLToPath(import.meta.resolve("solc/soljson.js")) },
      test: { solidity: { fuzz: { runs: 10 }, invariant: { runs: 5, depth: 7 } } },
    })`

  it("comes from a real run, whose failure is kept", () => {
    write("hardhat.config.ts", config)
    write("package.json", `{ "type": "module" }`)
    write(
      "test/Planted.t.sol",
      `// SPDX-License-Identifier: MIT
      pragma solidity ^0.8.24;
      contract PlantedTest {
        function test_holds() public pure {}
        function testFuzz_holds(uint256 x) public pure { require(x == x); }
        function test_fails() public pure { revert("planted"); }
      }
      contract PlantedInvariantTest {
        Counter public counter = new Counter();
        function targetContracts() public view returns (address[] memory targets) {
          targets = new address[](1);
          targets[0] = address(counter);
        }
        function invariant_holds() public view { require(counter.count() < 1000); }
      }
      contract Counter {
        uint256 public count;
        function increase() public { count++; }
      }`,
    )

    const { status, stderr } = run(join(ROOT, "scripts/check/solidity.ts"), ["out.json"], folder)

    if (!existsSync(join(folder, "out.json"))) throw new Error(`the run left no counts: ${stderr}`)
    const counts: unknown = JSON.parse(readFileSync(join(folder, "out.json"), "utf8"))
    expect(counts).toEqual({ passed: 3, failed: 1, skipped: 0, fuzzRuns: 10, acceptedCalls: 35 })
    expect(status).toBe(1)
  })
})

describe("a closing line", () => {
  it("reads like the plain one that CI understands", () => {
    expect(closingLine("unit", { passed: 12, failed: 0, skipped: 0 })).toBe("unit: 12 passed, 0 failed")
    expect(closingLine("unit", { passed: 12, failed: 1, skipped: 2 })).toBe("unit: 12 passed, 1 failed, 2 skipped")
  })
})

describe("a floor", () => {
  it("catches each count that falls below it", () => {
    const floor = { passed: 10, fuzzRuns: 100, acceptedCalls: 1000 }
    const enough = { passed: 10, failed: 0, skipped: 0, fuzzRuns: 100, acceptedCalls: 1000 }

    expect(findBelowFloor("x", enough, floor)).toEqual([])
    expect(findBelowFloor("x", { ...enough, passed: 9 }, floor)).toHaveLength(1)
    expect(findBelowFloor("x", { ...enough, fuzzRuns: 99 }, floor)).toHaveLength(1)
    expect(findBelowFloor("x", { passed: 0, failed: 0, skipped: 0 }, floor)).toHaveLength(3)
  })

  it("is raised to nine tenths, and never lowered", () => {
    const counts = { passed: 100, failed: 0, skipped: 0 }
    expect(raiseFloor(counts, { passed: 10 })).toEqual({ passed: 90 })
    expect(raiseFloor(counts, { passed: 99 })).toEqual({ passed: 99 })
    expect(isFloorLow(counts, { passed: 49 })).toBe(true)
    expect(isFloorLow(counts, { passed: 50 })).toBe(false)
  })

  it("is at least one test for every suite of the project", () => {
    const floors = JSON.parse(readFileSync(join(ROOT, "test/floors.json"), "utf8")) as Record<
      string,
      { passed: number }
    >
    expect(Object.keys(floors)).toEqual(["solidity", "unit", "ledger"])
    for (const { passed } of Object.values(floors)) expect(passed).toBeGreaterThan(0)
  })
})

function run(script: string, args: string[], cwd: string): { status: number | null; stderr: string } {
  const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY: "true" }
  return spawnSync(process.execPath, [script, ...args], { cwd, env, encoding: "utf8", timeout: 100_000 })
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}
