import { readFileSync } from "node:fs"
import { artifacts, network } from "hardhat"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { jsonRpcFrom } from "../../client/index.ts"
import type { Hex, JsonRpc, RpcCall } from "../../client/index.ts"
import { assertDeployedCode } from "../../scripts/deploy/assertDeployedCode.ts"
import { deployContracts } from "../../scripts/deploy/deployContracts.ts"
import { DeployedCodeMismatchError, PrecompileFlawedError } from "../../scripts/deploy/deployErrors.ts"
import { probePrecompile } from "../../scripts/deploy/probePrecompile.ts"
import { TEST_KEYS } from "../helpers/ledger.ts"

const YES = `0x${"1".padStart(64, "0")}`
const GOVERNOR: Hex = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"

/** A chain whose precompile answers as it is told; the others are asked of nobody. */
function precompile(answer: (r: bigint, call: Hex) => string): JsonRpc {
  return jsonRpcFrom(async ({ params }) => {
    const { data } = params[0] as { data: Hex }
    return answer(BigInt(`0x${data.slice(66, 130)}`), data)
  })
}

describe("probePrecompile", () => {
  it("finds the real one sound, and none absent", async () => {
    for (const [name, finding] of [
      ["default", "sound"],
      ["cancun", "absent"],
    ] as const) {
      const connection = await network.create(name)
      expect(await probePrecompile(jsonRpcFrom((call) => connection.provider.request(call)))).toBe(finding)
      await connection.close()
    }
  })

  it.each<[string, (honest: string, probe: number) => string]>([
    ["that says yes to all", () => YES],
    ["that says no to one that is right", (honest, probe) => (probe === 0 ? "0x" : honest)],
    ["that does not reduce x by the order", (honest, probe) => (probe === 1 ? "0x" : honest)],
    ["that takes r above the order", (honest, probe) => (probe === 2 ? YES : honest)],
    ["that takes the point at infinity", (honest, probe) => (probe === 3 ? YES : honest)],
    ["that answers with another word", (honest) => (honest === "0x" ? honest : `0x${"2".padStart(64, "0")}`)],
    ["that answers no with a word of zeros", (honest) => (honest === "0x" ? `0x${"0".repeat(64)}` : honest)],
  ])("refuses one %s", async (_name, lie) => {
    const connection = await network.create()
    let asked = 0
    const rpc = jsonRpcFrom(async (call) => lie(String(await connection.provider.request(call)), asked++))
    await expect(probePrecompile(rpc)).rejects.toThrow(PrecompileFlawedError)
    await connection.close()
  })

  it("refuses an answer that is none", async () => {
    await expect(probePrecompile(precompile(() => "yes"))).rejects.toMatchObject({ code: "REPLY_MALFORMED" })
  })
})

describe("deployContracts", () => {
  let connection: Awaited<ReturnType<typeof network.create>>
  beforeAll(async () => {
    connection = await network.create()
  })
  afterAll(async () => {
    await connection.close()
  })
  const parameters = { consortium: GOVERNOR, guardian: GOVERNOR, governanceDelay: 0, keyDelay: 0 }

  it("describes what it deployed, from a block at which all of it is there", async () => {
    const { deployment, precompile } = await deployContracts({ connection, artifacts }, parameters)

    expect(precompile).toBe("sound")
    expect(Object.keys(deployment.contracts)).toEqual(expect.arrayContaining(["access", "manufacturers", "devices"]))
    const { provider } = connection
    for (const { address } of Object.values(deployment.contracts)) {
      const at = { blockHash: deployment.block.hash }
      expect(await provider.request({ method: "eth_getCode", params: [address, at] })).not.toBe("0x")
    }
    expect(JSON.stringify(deployment)).not.toContain(TEST_KEYS[0]!.slice(2))
  })

  it("finds out that the node put other code there", async () => {
    const { deployment, rpc } = await deployContracts({ connection, artifacts }, parameters)
    const compiled = JSON.parse(
      readFileSync("artifacts/contracts/DeviceRegistry.sol/DeviceRegistry.json", "utf8"),
    ) as Parameters<typeof assertDeployedCode>[2]
    const { address } = deployment.contracts.devices
    const lying = (change: (code: string) => string): JsonRpc => {
      const request = async (call: RpcCall): Promise<unknown> => change(String(await rpc.request(call)))
      return { endpoint: "a liar", request, requestMany: (calls) => Promise.all(calls.map(request)) }
    }

    await assertDeployedCode(rpc, address, compiled)
    for (const change of [
      () => "0x",
      (code: string) => code.slice(0, -2),
      (code: string) => `${code}00`,
      (code: string) => `${code.slice(0, 40)}${code[40] === "0" ? "1" : "0"}${code.slice(41)}`,
    ]) {
      await expect(assertDeployedCode(lying(change), address, compiled)).rejects.toThrow(DeployedCodeMismatchError)
    }
  })
})
