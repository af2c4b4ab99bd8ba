import { readFileSync } from "node:fs"
import { createEVM } from "@ethereumjs/evm"
import { artifacts } from "hardhat"
import { decodeFunctionResult, encodeFunctionData } from "viem"
import type { Abi } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fromHex, P256_ORDER, sha256, toHex } from "../../client/index.ts"
import type { Hex } from "../../client/index.ts"
import { openStage } from "./helpers/stage.ts"
import type { Stage } from "./helpers/stage.ts"

type Suite = {
  testGroups: { publicKeyDer: string; tests: { tcId: number; msg: string; sig: string; result: string }[] }[]
}
type Case = { tcId: number | string; words: Hex[]; expected: boolean }

/** Says which of some cases hold: one bit each, the first in the lowest. */
type Engine = (cases: readonly Case[]) => Promise<bigint>

const EIP_7951 = new URL("../vectors/eip7951/vectors.json", import.meta.url)
const SUITE = new URL("../vectors/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", import.meta.url)
const POINT_OFFSET = 27
const CASES_PER_CALL = 20

/** The precompile's own cases: 160 octets of hash, r, s, x and y. */
function readEipCases(): Case[] {
  const cases = JSON.parse(readFileSync(EIP_7951, "utf8")) as [name: string, input: string, valid: boolean][]
  return cases.map(([tcId, input, valid]) => {
    const words = Array.from({ length: 5 }, (_, i): Hex => `0x${input.slice(64 * i, 64 * i + 64)}`)
    return { tcId, words, expected: valid && BigInt(words[2] ?? 0) <= P256_ORDER / 2n }
  })
}

/** The cases whose signature has 64 octets: any other never gets as far as a contract, which takes two words. */
function readCases(): Case[] {
  const suite = JSON.parse(readFileSync(SUITE, "utf8")) as Suite
  return suite.testGroups.flatMap(({ publicKeyDer, tests }) => {
    const point = fromHex(`0x${publicKeyDer}`).subarray(POINT_OFFSET)
    return tests
      .filter(({ sig }) => sig.length === 128)
      .map(({ tcId, msg, sig, result }) => {
        const s = BigInt(`0x${sig.slice(64)}`)
        const words = [
          toHex(sha256(fromHex(`0x${msg}`))),
          `0x${sig.slice(0, 64)}` as const,
          `0x${sig.slice(64)}` as const,
          toHex(point.subarray(0, 32)),
          toHex(point.subarray(32)),
        ]
        // The contracts take low s only; the client lowers it before it sends.
        return { tcId, words, expected: result === "valid" && s <= P256_ORDER / 2n }
      })
  })
}

/** `P256Signature` in the project's own bytecode on EDR, with the precompile ("default") or without it ("cancun"). */
async function edr(stage: Stage): Promise<Engine> {
  const { abi } = await artifacts.readArtifact("LibraryDoor")
  const address = await stage.deploy("LibraryDoor", [])
  return async (cases) => {
    const args = [cases.flatMap(({ words }) => words)]
    const call = { address, abi: abi as Abi, functionName: "verifySignatures", args }
    return (await stage.client.readContract(call)) as bigint
  }
}

/** The same bytecode on an EVM that shares no code with EDR and Anvil. */
async function secondEvm(): Promise<Engine> {
  const { abi, deployedBytecode } = await artifacts.readArtifact("LibraryDoor")
  const evm = await createEVM()
  evm.common.setHardfork("osaka")
  return async (cases) => {
    const args = [cases.flatMap(({ words }) => words)]
    const data = fromHex(encodeFunctionData({ abi: abi as Abi, functionName: "verifySignatures", args }))
    const result = await evm.runCode({ code: fromHex(deployedBytecode), data, gasLimit: 1_000_000_000n })
    if (result.exceptionError !== undefined) throw new Error(result.exceptionError.error)
    const answer = { abi: abi as Abi, functionName: "verifySignatures", data: toHex(result.returnValue) }
    return decodeFunctionResult(answer) as bigint
  }
}

async function findWrong(engine: Engine, cases: readonly Case[]): Promise<Case["tcId"][]> {
  const wrong: Case["tcId"][] = []
  for (let start = 0; start < cases.length; start += CASES_PER_CALL) {
    const some = cases.slice(start, start + CASES_PER_CALL)
    const bits = await engine(some)
    some.forEach(({ tcId, expected }, i) => {
      if (((bits >> BigInt(i)) & 1n) !== (expected ? 1n : 0n)) wrong.push(tcId)
    })
  }
  return wrong
}

describe.each(["default", "cancun", "a second EVM"] as const)("P256Signature on the network %s", (network) => {
  let stage: Stage | undefined
  let engine: Engine
  beforeAll(async () => {
    if (network !== "a second EVM") stage = await openStage({ network })
    engine = await (stage === undefined ? secondEvm() : edr(stage))
  })
  afterAll(() => stage?.close())

  it("gives every case of Wycheproof its verdict, high s aside", async () => {
    const cases = readCases()
    expect(cases.length).toBeGreaterThan(200)
    expect(cases.filter(({ expected }) => expected).length).toBeGreaterThan(50)
    expect(await findWrong(engine, cases)).toEqual([])
  })

  it("gives every case of EIP-7951 its verdict, high s aside", async () => {
    const cases = readEipCases()
    expect(cases).toHaveLength(781)
    expect(cases.filter(({ expected }) => expected).length).toBeGreaterThan(200)
    expect(await findWrong(engine, cases)).toEqual([])
  })
})
