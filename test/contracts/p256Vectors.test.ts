import { readFileSync } from "node:fs"
import { artifacts } from "hardhat"
import type { Abi } from "viem"
import { afterAll, describe, expect, it } from "vitest"
import { fromHex, P256_ORDER, sha256, toHex } from "../../client/index.ts"
import type { Hex } from "../../client/index.ts"
import { openStage } from "./helpers/stage.ts"
import type { Stage } from "./helpers/stage.ts"

type Suite = {
  testGroups: { publicKeyDer: string; tests: { tcId: number; msg: string; sig: string; result: string }[] }[]
}
type Case = { tcId: number; words: Hex[]; expected: boolean }

const SUITE = new URL("../vectors/wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", import.meta.url)
const POINT_OFFSET = 27
const CASES_PER_CALL = 20

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

describe.each(["default", "cancun"] as const)("P256Signature on the network %s, by Wycheproof", (network) => {
  let stage: Stage | undefined
  afterAll(() => stage?.close())

  it("gives every case its verdict, high s aside", async () => {
    stage = await openStage({ network })
    const cases = readCases()
    const { abi } = await artifacts.readArtifact("LibraryDoor")
    const address = await stage.deploy("LibraryDoor", [])
    const wrong: number[] = []

    for (let start = 0; start < cases.length; start += CASES_PER_CALL) {
      const some = cases.slice(start, start + CASES_PER_CALL)
      const args = [some.flatMap(({ words }) => words)]
      const bits = (await stage.client.readContract({
        address,
        abi: abi as Abi,
        functionName: "verifySignatures",
        args,
      })) as bigint
      some.forEach(({ tcId, expected }, i) => {
        if (((bits >> BigInt(i)) & 1n) !== (expected ? 1n : 0n)) wrong.push(tcId)
      })
    }

    expect(cases.length).toBeGreaterThan(200)
    expect(cases.filter(({ expected }) => expected).length).toBeGreaterThan(50)
    expect(wrong).toEqual([])
  })
})
