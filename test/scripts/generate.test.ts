import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { findStale, generateFiles, writeFiles } from "../../scripts/generate/generate.ts"

const UINT = { name: "x", type: "uint32", internalType: "uint32" }
const PAIR = { name: "p", type: "tuple[]", internalType: "struct I.P[]", components: [UINT] }

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "fleetroot-generate-"))
  writeArtifact("contracts/Registry.sol", "0x60", [
    { type: "function", name: "f", inputs: [PAIR], outputs: [UINT], stateMutability: "view" },
    { type: "error", name: "OwnError", inputs: [UINT] },
  ])
  writeArtifact("contracts/Base.sol", "0x", [{ type: "error", name: "BaseError", inputs: [] }])
  writeArtifact("contracts/interfaces/IOther.sol", "0x", [
    { type: "error", name: "OtherError", inputs: [PAIR] },
    { type: "error", name: "OwnError", inputs: [UINT] },
  ])
  writeArtifact("contracts/mocks/Mock.sol", "0x60", [{ type: "error", name: "MockError", inputs: [] }])
  writeLayouts(41)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe("generateFiles", () => {
  it("writes a file for each contract that is deployed, and none for abstract ones and mocks", () => {
    expect([...generateFiles(root).keys()]).toEqual([
      "client/abi/Registry.ts",
      "client/abi/errors.ts",
      "client/abi/storageLayout.ts",
    ])
  })

  it("gives each contract every error of the project once", async () => {
    const abi = (await load("Registry"))["registryAbi"] as { name: string }[]
    expect(abi.map(({ name }) => name)).toEqual(["f", "OwnError", "BaseError", "OtherError"])
  })

  it("keeps what callers need of an item and nothing else", async () => {
    const abi = (await load("Registry"))["registryAbi"] as unknown[]
    expect(abi[0]).toEqual({
      type: "function",
      name: "f",
      inputs: [{ name: "p", type: "tuple[]", components: [{ name: "x", type: "uint32" }] }],
      outputs: [{ name: "x", type: "uint32" }],
      stateMutability: "view",
    })
  })

  it("tells where storage lies, without the compiler's node numbers", async () => {
    const before = generateFiles(root).get("client/abi/storageLayout.ts")
    expect((await load("storageLayout"))["storageLayout"]).toEqual({
      Registry: {
        storage: [{ label: "_logs", slot: "3", offset: 4, type: "t_mapping(t_uint32,t_struct(Log)_storage)" }],
        types: {
          "t_mapping(t_uint32,t_struct(Log)_storage)": {
            encoding: "mapping",
            label: "mapping(uint32 => struct Log)",
            numberOfBytes: "32",
            key: "t_uint32",
            value: "t_struct(Log)_storage",
          },
          "t_struct(Log)_storage": {
            encoding: "inplace",
            label: "struct Log",
            numberOfBytes: "32",
            members: [{ label: "list", slot: "0", offset: 0, type: "t_array(t_uint8)12_storage" }],
          },
        },
      },
    })

    writeLayouts(42)
    expect(generateFiles(root).get("client/abi/storageLayout.ts")).toBe(before)
  })
})

describe("findStale", () => {
  it("names each file that is missing, stale or left over, and none after writing", () => {
    const files = generateFiles(root)
    expect(findStale(root, files)).toHaveLength(3)

    writeFiles(root, files)
    expect(findStale(root, files)).toEqual([])

    write("client/abi/Registry.ts", "edited by hand")
    write("client/abi/Gone.ts", "")
    expect(findStale(root, files)).toEqual([
      "client/abi/Registry.ts is stale",
      "client/abi/Gone.ts belongs to no contract",
    ])

    writeFiles(root, files)
    expect(findStale(root, files)).toEqual([])
  })
})

async function load(name: string): Promise<Record<string, unknown>> {
  writeFiles(root, generateFiles(root))
  const text = readFileSync(join(root, `client/abi/${name}.ts`), "utf8").replaceAll(" as const", "")
  return (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(text)}`)) as Record<
    string,
    unknown
  >
}

function writeArtifact(source: string, bytecode: string, abi: object[]): void {
  const contractName = /(\w+)\.sol$/.exec(source)?.[1] ?? ""
  const artifact = { contractName, inputSourceName: `project/${source}`, abi, bytecode, buildInfoId: "build" }
  write(`artifacts/${source}/${contractName}.json`, JSON.stringify(artifact))
}

function writeLayouts(node: number): void {
  const log = `t_struct(Log)${node}_storage`
  const logs = `t_mapping(t_uint32,${log})`
  const storageLayout = {
    storage: [{ astId: node, contract: "x", label: "_logs", slot: "3", offset: 4, type: logs }],
    types: {
      [log]: {
        encoding: "inplace",
        label: "struct Log",
        numberOfBytes: "32",
        members: [
          { astId: node, contract: "x", label: "list", slot: "0", offset: 0, type: "t_array(t_uint8)12_storage" },
        ],
      },
      [logs]: {
        encoding: "mapping",
        label: "mapping(uint32 => struct Log)",
        numberOfBytes: "32",
        key: "t_uint32",
        value: log,
      },
    },
  }
  const output = { contracts: { "project/contracts/Registry.sol": { Registry: { storageLayout } } } }
  write("artifacts/build-info/build.output.json", JSON.stringify({ output }))
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
