import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { httpRpc } from "../../client/index.ts"
import { Cli, startTestnet } from "./cli.ts"
import { killingProxy } from "./killingProxy.ts"
import type { KillPoint } from "./killingProxy.ts"
import { tempFolder } from "./tempFolder.ts"

const DEVICES = 300
/** The account that a testnet signs with by default. */
const ACCOUNT = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"

const folder = tempFolder()
let net: Awaited<ReturnType<typeof startTestnet>>
let cli: Cli

beforeAll(async () => {
  net = await startTestnet(new Cli(folder.path))
  cli = net.cli
})
afterAll(async () => {
  await net.stop()
  folder.remove()
})

/** How many transactions the paying account has sent; all of them are mined. */
async function transactionCount(): Promise<number> {
  const count = await httpRpc(net.url).request({ method: "eth_getTransactionCount", params: [ACCOUNT, "latest"] })
  return Number(count)
}

/** A manufacturer with a CA and a fleet of its own, so that every round registers something new. */
async function freshManufacturer(name: string): Promise<{ id: string; ca: string }> {
  const { answer } = await cli.json("manufacturer", "add", "--name", name)
  const id = String(answer["manufacturer"])
  const ca = join("fleets", id)
  const made = await cli.run("fleet", "make", ca, "--count", String(DEVICES), "--plain", "--no-keys")
  expect(made).toMatchObject({ code: 0 })
  const key = ["--cert", join(ca, "ca.pem"), "--key", join(ca, "ca.key")]
  expect((await cli.run("key", "add", "--manufacturer", id, ...key, "--purpose", "issuer")).code).toBe(0)
  return { id, ca }
}

function register(id: string, ca: string): string[] {
  const out = ["--manifest", join(ca, "fleet.manifest"), "--receipts", join(ca, "receipts")]
  return ["batch", "register", "--manufacturer", id, "--issuer", join(ca, "ca.pem"), join(ca, "certs"), ...out]
}

/** One batch, one transaction, all its receipts, and nobody the worse for it. */
async function expectOneBatch(id: string, ca: string, before: number): Promise<void> {
  const batches = await cli.json<{ size: number }[]>("batch", "show", "--manufacturer", id)
  expect(batches.answer).toMatchObject([{ series: 1, size: DEVICES, status: "good" }])
  expect(await transactionCount()).toBe(before + 1)
  expect(readdirSync(cli.at(ca, "receipts"))).toHaveLength(DEVICES)
  const some = ["0", "150", "299"].map((i) => join(ca, "certs", `${i}.pem`))
  expect((await cli.run("status", ...some, "--receipts", join(ca, "receipts"))).code).toBe(0)
}

describe("batch register, killed and run again", () => {
  it.each<[string, KillPoint]>([
    ["before the chain is known", { method: "eth_chainId", nth: 1, when: "before" }],
    ["while it looks for a series", { method: "eth_getLogs", nth: 1, when: "after" }],
    ["before the transaction is simulated", { method: "eth_estimateGas", nth: 1, when: "before" }],
    ["after the transaction was simulated", { method: "eth_estimateGas", nth: 1, when: "after" }],
    ["signed and journalled, not sent", { method: "eth_sendRawTransaction", nth: 1, when: "before" }],
    ["sent, the answer not read", { method: "eth_sendRawTransaction", nth: 1, when: "after" }],
    ["mined, the receipt not read", { method: "eth_getTransactionReceipt", nth: 1, when: "after" }],
  ])("ends in one batch and one transaction: %s", async (name, point) => {
    const { id, ca } = await freshManufacturer(name)
    const before = await transactionCount()
    const proxy = await killingProxy(net.url, point)
    const { child, ended } = cli.start(...register(id, ca), "--rpc", proxy.url)
    proxy.aim(child)
    expect((await ended).signal).toBe("SIGKILL")
    await proxy.close()

    const again = await cli.json(...register(id, ca))

    expect(again).toMatchObject({ code: 0, answer: { series: 1, size: DEVICES, registered: true } })
    await expectOneBatch(id, ca, before)
  })

  it.each<[string, (ca: string) => boolean]>([
    ["as soon as the manifest is there", (ca) => existsSync(cli.at(ca, "fleet.manifest"))],
    [
      "in the middle of the receipts",
      (ca) => existsSync(cli.at(ca, "receipts")) && readdirSync(cli.at(ca, "receipts")).length > 20,
    ],
  ])("ends in one batch and one transaction: %s", async (name, isDue) => {
    const { id, ca } = await freshManufacturer(name)
    const before = await transactionCount()
    const { child, ended } = cli.start(...register(id, ca))
    const watch = setInterval(() => {
      if (isDue(ca)) child.kill("SIGKILL")
    }, 1)
    await ended
    clearInterval(watch)

    expect((await cli.json(...register(id, ca))).code).toBe(0)
    await expectOneBatch(id, ca, before)
  })

  it("touches no manifest or receipt of an interrupted run whose place another batch has taken meanwhile", async () => {
    const { id, ca } = await freshManufacturer("interrupted")
    const proxy = await killingProxy(net.url, { method: "eth_estimateGas", nth: 1, when: "before" })
    const { child, ended } = cli.start(...register(id, ca), "--rpc", proxy.url)
    proxy.aim(child)
    await ended
    await proxy.close()
    const other = [
      "batch",
      "register",
      "--manufacturer",
      id,
      "--issuer",
      join(ca, "ca.pem"),
      join(ca, "certs", "7.pem"),
    ]

    const taken = await cli.json(...other, "--series", "1")
    const again = await cli.json(...register(id, ca))

    // The manifest and receipts on the disk speak of a place that is another batch's now: not silently, and not over them.
    expect(taken).toMatchObject({ code: 0, answer: { series: 1, size: 1 } })
    expect(again).toMatchObject({ code: 2, answer: { code: "OUTPUT_EXISTS" } })
  })

  it("does the work of two runs at once only once", async () => {
    const { id, ca } = await freshManufacturer("two at once")
    const before = await transactionCount()

    const both = await Promise.all([cli.json(...register(id, ca)), cli.json(...register(id, ca))])

    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(both.filter(({ answer }) => answer["transaction"] === null)).toHaveLength(1)
    expect(both.map(({ stderr }) => stderr).join("")).toMatch(
      /waiting for another run with this account: fleetroot batch register, process \d+/,
    )
    await expectOneBatch(id, ca, before)
  })
})

describe("revoke, killed and run again", () => {
  it.each<[string, KillPoint]>([
    ["sent, the answer not read", { method: "eth_sendRawTransaction", nth: 1, when: "after" }],
    ["signed and journalled, not sent", { method: "eth_sendRawTransaction", nth: 1, when: "before" }],
  ])("revokes once: %s", async (name, point) => {
    const { id, ca } = await freshManufacturer(name)
    expect((await cli.run(...register(id, ca))).code).toBe(0)
    const before = await transactionCount()
    const revoke = ["revoke", join(ca, "certs", "5.pem"), "--manufacturer", id, "--reason", "superseded"]
    const proxy = await killingProxy(net.url, point)
    const { child, ended } = cli.start(...revoke, "--rpc", proxy.url)
    proxy.aim(child)
    await ended
    await proxy.close()

    expect((await cli.json(...revoke)).code).toBe(0)
    expect(await transactionCount()).toBe(before + 1)
    const status = await cli.json("status", join(ca, "certs", "5.pem"), "--receipts", join(ca, "receipts"))
    expect(status).toMatchObject({ code: 1, answer: [{ status: "revoked", reason: "superseded" }] })
  })
})

describe("manufacturer add, killed and run again", () => {
  it("admits one manufacturer", async () => {
    const before = (await cli.json<unknown[]>("manufacturer", "show")).answer.length
    const add = ["manufacturer", "add", "--name", "Once Only"]
    const proxy = await killingProxy(net.url, { method: "eth_sendRawTransaction", nth: 1, when: "after" })
    const { child, ended } = cli.start(...add, "--rpc", proxy.url)
    proxy.aim(child)
    await ended
    await proxy.close()

    const again = await cli.json(...add)

    expect(again).toMatchObject({ code: 0, answer: { state: "admitted" } })
    expect((await cli.json<unknown[]>("manufacturer", "show")).answer).toHaveLength(before + 1)
  })
})
