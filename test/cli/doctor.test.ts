import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cli, startTestnet } from "./cli.ts"
import { tempFolder } from "./tempFolder.ts"

type Finding = { check: string; state: string; detail: string }

const CHECKS = ["contracts", "head", "finality", "p256", "role admin", "role admission", "role consortium"]

describe("fleetroot doctor", () => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>

  beforeAll(async () => {
    net = await startTestnet(new Cli(folder.path))
  })
  afterAll(async () => {
    await net.stop()
    folder.remove()
  })

  it("finds a healthy testnet healthy, for people and for programs", async () => {
    const { code, answer } = await net.cli.json<Finding[]>("doctor")
    expect([code, answer.map(({ check }) => check)]).toEqual([0, [...CHECKS, "role guardian"]])
    expect(answer.filter(({ state }) => state !== "ok")).toEqual([])
    expect((await net.cli.run("doctor")).stdout).toMatch(/^✓ contracts: chain \d+.*\n✓ head: block \d+/)
  })

  it("cannot decide without a node, and says so by exit code", async () => {
    const { code, answer } = await net.cli.json("doctor", "--rpc", "http://127.0.0.1:9")
    expect([code, answer["code"]]).toEqual([3, expect.any(String)])
  })
})
