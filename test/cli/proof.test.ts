import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { FaultProxy } from "../helpers/faultProxy.ts"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

type Item = { status: string; reason: string | null; evidence: { kind: string; detail: string }[] }
type Failure = { error: string; code: string }

describe("fleetroot status, believing less", () => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>
  let cli: Cli
  let proxies: FaultProxy[]

  beforeAll(async () => {
    new OpensslCa(folder.path).issue(2)
    net = await startTestnet(new Cli(folder.path))
    cli = net.cli
    for (const line of [
      "manufacturer add --name Works",
      "key add --manufacturer 2 --cert ca.pem --key ca.key --purpose issuer",
      "batch register --manufacturer 2 --issuer ca.pem certs/ --manifest fleet.manifest --receipts receipts/",
      "revoke certs/1.pem --manufacturer 2 --reason keyCompromise --receipts receipts/",
    ]) {
      const { code, stderr } = await cli.run(...line.split(" "))
      if (code !== 0) throw new Error(`${line}: ${stderr}`)
    }
    proxies = await Promise.all([1, 2, 3].map(() => FaultProxy.start(net.url)))
  })
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await net.stop()
    folder.remove()
  })

  const status = (...options: string[]): Promise<{ code: number | null; answer: Item[] | Failure }> =>
    cli.json<Item[] | Failure>("status", "certs/1.pem", "certs/2.pem", "--receipts", "receipts/", ...options)
  const rpcs = (): string[] => proxies.flatMap(({ url }) => ["--rpc", url])
  const ANSWER = [
    { status: "revoked", reason: "keyCompromise" },
    { status: "good", reason: null },
  ]

  it("answers by proof", async () => {
    const { code, answer } = await status("--proof")
    expect(code).toBe(1)
    expect(answer).toMatchObject(ANSWER)
    expect((answer as Item[])[0]?.evidence[0]?.detail).toContain("proven against that hash")
  })

  it("answers by quorum, with and without proof, also when one node lies", async () => {
    const [liar] = proxies as [FaultProxy]
    for (const more of [[], ["--quorum", "2"], ["--proof"], ["--proof", "--quorum", "2"]]) {
      expect((await status(...rpcs(), ...more)).answer).toMatchObject(ANSWER)
      liar.tamper = ({ method, reply }) =>
        method === "eth_call" ? { ...reply, result: String(reply.result).replaceAll("1", "0") } : undefined
      const { answer } = await status(...rpcs(), ...more)
      expect(answer).toMatchObject(ANSWER)
      expect((answer as Item[])[0]?.evidence[0]).toMatchObject({ kind: "quorum" })
      liar.fault = (response) => void response.destroy()
      expect((await status(...rpcs(), ...more)).answer).toMatchObject(ANSWER)
      liar.heal()
    }
  })

  it("cannot decide without a quorum, and says so by exit code", async () => {
    for (const proxy of proxies.slice(1)) proxy.fault = (response) => void response.destroy()
    const { code, answer } = await status(...rpcs())
    expect(code).toBe(3)
    expect(answer).toMatchObject({ error: "QuorumMissingError", code: "QUORUM_MISSING" })
    for (const proxy of proxies) proxy.heal()
  })

  it("cannot decide when the only node forges proofs", async () => {
    const [liar] = proxies as [FaultProxy]
    liar.tamper = ({ method, reply }) =>
      method === "eth_getProof"
        ? { ...reply, result: JSON.parse(JSON.stringify(reply.result).replaceAll("a", "b")) as unknown }
        : undefined
    const { code, answer } = await status("--rpc", liar.url, "--proof")
    expect(code).toBe(3)
    expect(answer).toMatchObject({ code: "STATE_PROOF_INVALID" })
    liar.heal()
  })

  it.each([
    ["a quorum larger than the nodes", () => [...rpcs(), "--quorum", "4"]],
    ["a quorum of several with one node", () => ["--quorum", "2"]],
    ["a quorum of none", () => [...rpcs(), "--quorum", "0"]],
    ["a quorum that is no number", () => [...rpcs(), "--quorum", "most"]],
    ["the same node twice", () => [...rpcs().slice(0, 2), ...rpcs().slice(0, 2)]],
    ["an address that is none", () => ["--rpc", "nowhere"]],
  ])("refuses %s as wrong usage", async (_what, options) => {
    expect((await cli.run("status", "certs/1.pem", ...options())).code).toBe(2)
  })
})
