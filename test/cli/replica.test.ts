import { readFileSync, writeFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { FaultProxy } from "../helpers/faultProxy.ts"
import { Cli, startTestnet } from "./cli.ts"
import { OpensslCa } from "./opensslCa.ts"
import { tempFolder } from "./tempFolder.ts"

type Item = { status: string; reason: string | null; evidence: { kind: string; detail: string }[] }
type Failure = { error: string; code: string }
type Synced = { entries: number; added: number; block: { number: number }; evidence: { kind: string; detail: string } }

describe("fleetroot replica", () => {
  const folder = tempFolder()
  let net: Awaited<ReturnType<typeof startTestnet>>
  let cli: Cli
  let proxy: FaultProxy

  beforeAll(async () => {
    new OpensslCa(folder.path).issue(3)
    net = await startTestnet(new Cli(folder.path))
    cli = net.cli
    for (const line of [
      "manufacturer add --name Works",
      "key add --manufacturer 2 --cert ca.pem --key ca.key --purpose issuer",
      "batch register --manufacturer 2 --issuer ca.pem certs/ --manifest fleet.manifest --receipts receipts/",
    ]) {
      await good(line)
    }
    proxy = await FaultProxy.start(net.url)
  })
  afterAll(async () => {
    await proxy.close()
    await net.stop()
    folder.remove()
  })

  async function good(line: string): Promise<void> {
    const { code, stderr } = await cli.run(...line.split(" "))
    if (code !== 0) throw new Error(`${line}: ${stderr}`)
  }
  const status = (...options: string[]): Promise<{ code: number | null; answer: Item[] | Failure }> =>
    cli.json<Item[] | Failure>("status", "certs/1.pem", "certs/2.pem", "--replica", "R", ...options)
  const FROM_MANIFEST = ["--manifest", "fleet.manifest"]

  it("says that there is none yet", async () => {
    expect(await cli.json<Failure>("replica", "status", "--dir", "R")).toMatchObject({
      code: 2,
      answer: { code: "USAGE" },
    })
    expect(await status(...FROM_MANIFEST)).toMatchObject({ code: 2, answer: { code: "USAGE" } })
  })

  it("syncs, and goes on where it was", async () => {
    const first = await cli.json<Synced>("replica", "sync", "--dir", "R")
    expect(first).toMatchObject({ code: 0, answer: { evidence: { kind: "replica" } } })
    expect(first.answer.entries).toBeGreaterThan(3)
    expect(first.answer.added).toBe(first.answer.entries)

    const second = await cli.json<Synced>("replica", "sync", "--dir", "R", "--proof")
    expect(second).toMatchObject({ code: 0, answer: { added: 0, entries: first.answer.entries } })
    expect(second.answer.evidence.detail).toContain("proven against that hash")
  })

  it("answers statuses from it, by manifest and by receipts", async () => {
    for (const source of [FROM_MANIFEST, ["--receipts", "receipts/"]]) {
      const { code, answer } = await status(...source)
      expect(code).toBe(0)
      expect(answer).toMatchObject([{ status: "good" }, { status: "good" }])
      expect((answer as Item[])[0]?.evidence[0]).toMatchObject({ kind: "replica" })
    }
    await good("revoke certs/1.pem --manufacturer 2 --reason keyCompromise --receipts receipts/")
    const { code, answer } = await status(...FROM_MANIFEST)
    expect(code).toBe(1)
    expect(answer).toMatchObject([{ status: "revoked", reason: "keyCompromise" }, { status: "good" }])
  })

  it("answers without any node, until that is too old", async () => {
    const nowhere = ["--rpc", "http://127.0.0.1:9", "--offline"]
    expect((await status(...FROM_MANIFEST, ...nowhere)).answer).toMatchObject([
      { status: "revoked" },
      { status: "good" },
    ])
    const { answer } = await cli.json<{ block: { timestamp: string } }>("replica", "status", "--dir", "R")
    await setTimeout(Math.max(0, Date.parse(answer.block.timestamp) + 2_000 - Date.now()))
    const late = await status(...FROM_MANIFEST, ...nowhere, "--max-age", "1")
    expect(late).toMatchObject({ code: 3, answer: { code: "STALE_HEAD" } })
    const asked = await cli.json<Failure>("replica", "sync", "--dir", "R", "--rpc", "http://127.0.0.1:9")
    expect(asked).toMatchObject({ code: 3, answer: { code: "ENDPOINT_UNREACHABLE" } })
    expect(await cli.json("replica", "status", "--dir", "R", "--rpc", "http://127.0.0.1:9")).toMatchObject({
      code: 0,
      answer: { evidence: { kind: "replica" } },
    })
  })

  it("verifies every log, by quorum too", async () => {
    const several = ["--rpc", net.url, "--rpc", proxy.url, "--quorum", "2"]
    for (const more of [[], ["--proof"], several, [...several, "--proof"]]) {
      const { code, answer } = await cli.json<{ logs: number; entries: number }>(
        "replica",
        "verify",
        "--dir",
        "R",
        ...more,
      )
      expect(code).toBe(0)
      expect(answer.logs).toBeGreaterThan(6)
    }
    expect((await cli.run("replica", "verify", "--dir", "R")).stdout).toMatch(/^Every log is the ledger's at block \d+/)
    expect((await cli.run("replica", "status", "--dir", "R")).stdout).toMatch(/^The replica is at block \d+/)
  })

  it("finds a node that withholds a revocation", async () => {
    await good("revoke certs/2.pem --manufacturer 2 --reason superseded --receipts receipts/")
    proxy.tamper = ({ method, reply }) =>
      method === "eth_getLogs" ? { ...reply, result: (reply.result as unknown[]).slice(0, -1) } : undefined
    expect(await cli.json<Failure>("replica", "sync", "--dir", "R", "--rpc", proxy.url)).toMatchObject({
      code: 3,
      answer: { code: "LOG_HEAD_MISMATCH" },
    })
    expect(await status(...FROM_MANIFEST, "--rpc", proxy.url)).toMatchObject({
      code: 3,
      answer: { code: "LOG_HEAD_MISMATCH" },
    })
    // Among several nodes one that tells all is enough.
    const { answer } = await status(...FROM_MANIFEST, "--rpc", proxy.url, "--rpc", net.url, "--quorum", "2")
    expect(answer).toMatchObject([{ status: "revoked" }, { status: "revoked", reason: "superseded" }])
    proxy.heal()
  })

  it("says of a damaged file that it is, and reads it anew on demand", async () => {
    const bytes = readFileSync(cli.at("R/replica.sqlite"))
    const at = bytes.lastIndexOf(Buffer.from("Works"))
    expect(at).toBeGreaterThan(0)
    writeFileSync(cli.at("R/replica.sqlite"), bytes.fill("W0rks", at, at + 5))
    for (const command of ["sync", "status", "verify"]) {
      expect(await cli.json<Failure>("replica", command, "--dir", "R")).toMatchObject({
        code: 3,
        answer: { code: "REPLICA_STORE_DAMAGED" },
      })
    }
    expect(await cli.json("replica", "sync", "--dir", "R", "--rebuild")).toMatchObject({ code: 0 })
    expect((await status(...FROM_MANIFEST)).answer).toMatchObject([{ status: "revoked" }, { status: "revoked" }])
  })
})
