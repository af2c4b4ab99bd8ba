import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { httpRpc } from "../../client/index.ts"
import { Cli, startTestnet } from "./cli.ts"
import { tempFolder } from "./tempFolder.ts"

let folder: ReturnType<typeof tempFolder>
let cli: Cli
beforeEach(() => {
  folder = tempFolder()
  cli = new Cli(folder.path)
})
afterEach(() => {
  folder.remove()
})

const deviceFiles = (count: number): string[] => Array.from({ length: count }, (_, i) => `fleet/certs/${i}.pem`)

describe("fleetroot testnet", () => {
  it("is ready when the deployment file is there, and stops when told, leaving everything where it was", async () => {
    writeFileSync(cli.at("bystander"), "x")
    const net = await startTestnet(cli)
    const manufacturers = await net.cli.json("manufacturer", "show")
    const keys = await net.cli.json("key", "list", "--manufacturer", "1")
    const { code, stdout } = await net.stop()

    expect(manufacturers.answer).toMatchObject([{ id: 1, name: "Testnet Works", status: "active", keys: 1 }])
    expect(keys.answer).toMatchObject([{ purpose: "issuer", state: "current" }])
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("stopped by SIGTERM") })
    expect(existsSync(cli.at("net.json")) && existsSync(cli.at("bystander"))).toBe(true)
    expect(await net.cli.json("manufacturer", "show")).toMatchObject({
      code: 3,
      answer: { code: "ENDPOINT_UNREACHABLE" },
    })
  })

  it("ends by Ctrl-C with exit code 0", async () => {
    const { child, ended } = cli.start("testnet", "--port", "0", "--deployment", "net.json", "--json")
    await new Promise<void>((resolve) => {
      child.stdout?.once("data", () => {
        resolve()
      })
    })
    child.kill("SIGINT")

    expect(await ended).toMatchObject({ code: 0, signal: null })
  })

  it("keeps its clock with this machine's, and its head fresh with nobody asking", async () => {
    const net = await startTestnet(cli)
    const rpc = httpRpc(net.url)
    const ages: number[] = []
    for (let i = 0; i < 6; i++) {
      const block = (await rpc.request({ method: "eth_getBlockByNumber", params: ["latest", false] })) as {
        timestamp: string
      }
      ages.push(Date.now() / 1000 - Number(block.timestamp))
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 700)
      })
    }
    await net.stop()

    expect(Math.min(...ages)).toBeGreaterThanOrEqual(0)
    // Blocks come every two seconds; a busy machine adds some.
    expect(Math.max(...ages)).toBeLessThan(30)
  })

  it("says which port is taken, and writes no deployment file", async () => {
    const net = await startTestnet(cli)
    const port = new URL(net.url).port
    const second = await cli.json("testnet", "--port", port, "--deployment", "second.json")
    await net.stop()

    expect(second).toMatchObject({ code: 2, answer: { message: expect.stringContaining(port) } })
    expect(existsSync(cli.at("second.json"))).toBe(false)
  })

  it("fills itself with a fleet of real certificates, all good", async () => {
    const net = await startTestnet(cli, "--seed", "20", "--seed-dir", "fleet")
    const batches = await net.cli.json("batch", "show", "--manufacturer", "1")
    const good = await net.cli.json("status", ...deviceFiles(20), "--receipts", "fleet/receipts")
    const audit = [
      "batch",
      "show",
      "2147483648",
      "--manufacturer",
      "1",
      "--audit",
      "--manifest",
      "fleet/fleet.manifest",
    ]
    const audited = await net.cli.json(...audit)
    await net.stop()

    expect(batches.answer).toMatchObject([{ series: 2_147_483_648, size: 20, byKey: true }])
    expect(good.code).toBe(0)
    expect(audited).toMatchObject({ code: 0, answer: { audit: { size: 20 } } })
    expect(statSync(cli.at("fleet/ca.key")).mode & 0o777).toBe(0o600)
    const checked = execFileSync("openssl", ["verify", "-CAfile", cli.at("fleet/ca.pem"), cli.at("fleet/certs/7.pem")])
    expect(String(checked)).toContain("OK")
  })

  it("fills itself with hashes alone", async () => {
    const net = await startTestnet(cli, "--seed", "5000")
    const batches = await net.cli.json("batch", "show", "--manufacturer", "1")
    await net.stop()

    expect(batches.answer).toMatchObject([{ series: 1, size: 5000 }])
  })
})

describe("a fleet whose serial numbers name its place", () => {
  it("is registered where they say, by the issuer's own word, and nowhere else", async () => {
    const net = await startTestnet(cli)
    const { cli: user } = net
    await user.run("manufacturer", "add", "--name", "Bar Works")
    const made = await user.json("fleet", "make", "fleet", "--count", "5", "--manufacturer", "2")
    const key = ["--cert", "fleet/ca.pem", "--key", "fleet/ca.key"]
    await user.run("key", "add", "--manufacturer", "2", ...key, "--purpose", "issuer")
    const register = ["batch", "register", "--manufacturer", "2", "--issuer", "fleet/ca.pem", "fleet/certs"]
    const out = ["--manifest", "fleet.manifest", "--receipts", "receipts"]

    const unsigned = await user.json(...register, ...out)
    const elsewhere = await user.json(...register, "--issuer-key", "fleet/ca.key", "--series", "2147483700")
    const registered = await user.json(...register, "--issuer-key", "fleet/ca.key", ...out)
    const without = await user.json("status", "fleet/certs/3.pem")
    const good = await user.json("status", ...deviceFiles(5), "--receipts", "receipts")
    const revoked = await user.json("revoke", "fleet/certs/3.pem", "--manufacturer", "2")
    const bySerial = await user.json("status", "fleet/certs/3.pem")
    const again = await user.json("fleet", "make", "fleet", "--count", "5", "--manufacturer", "2")
    await net.stop()

    expect(made).toMatchObject({ code: 0, answer: { series: 2_147_483_648, manufacturer: 2 } })
    expect(readdirSync(cli.at("fleet/keys"))).toHaveLength(5)
    expect(unsigned).toMatchObject({ code: 1, answer: { code: "ISSUER_SIGNATURE_MISSING" } })
    expect(elsewhere).toMatchObject({ code: 1, answer: { code: "BATCH_REFUSED" } })
    expect(registered).toMatchObject({ code: 0, answer: { series: 2_147_483_648, size: 5 } })
    // The place is known without a receipt, but not proven.
    expect(without).toMatchObject({
      code: 1,
      answer: [{ status: "unknown", reason: "notAnchored", batch: { index: 3 } }],
    })
    expect(good.code).toBe(0)
    expect(revoked).toMatchObject({ code: 0, answer: { credentials: [{ series: 2_147_483_648, index: 3 }] } })
    expect(bySerial).toMatchObject({ code: 1, answer: [{ status: "revoked" }] })
    expect(again).toMatchObject({ code: 2 })
  })
})
