import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodePem, formatDeployment, generateP256Key } from "../../../client/index.ts"
import { writeReceipts } from "../../../client/node/index.ts"
import { serveRpc } from "../../../scripts/cli/testnet/rpcServer.ts"
import type { RpcServer } from "../../../scripts/cli/testnet/rpcServer.ts"
import { makeDevice, makeTree, nowSeconds } from "../../helpers/fleet.ts"
import { freshLedger, payer, TEST_KEYS } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { readText } from "../pages.ts"

const run = promisify(execFile)
const EXAMPLE = "test/docs/readmeExample.ts"
const DEVICES = 4

/** What a user writes in place of the paths that only a file inside the project can use. */
const asUser = (source: string): string =>
  source.replace("../../client/index.ts", "fleetroot").replace("../../client/node/index.ts", "fleetroot/node")

describe("the client example in README.md", () => {
  let net: TestLedger
  let server: RpcServer
  let folder: string

  beforeAll(async () => {
    net = await freshLedger()
    server = await serveRpc({ request: ({ method, params = [] }) => net.rpc.request({ method, params }) }, 0)
    folder = await mkdtemp(join(tmpdir(), "fleetroot-readme-"))
    await net.admit("Foo Works")
    await makeFleet()
  })
  afterAll(async () => {
    await server.close()
    await net.close()
    await rm(folder, { recursive: true })
  })

  /** What the walk through the command line tool leaves behind: deployment file, certificates, receipts. */
  async function makeFleet(): Promise<void> {
    const works = await net.admit("Bar Works")
    const issuer = await generateP256Key()
    await works.addKey({ purpose: "issuer", signer: issuer })
    const devices = await Promise.all(Array.from({ length: DEVICES }, () => makeDevice({ issuer })))
    const hashes = devices.map(({ certificate }) => certificate.credentialHash)
    const tree = makeTree(net.deployment, works.manufacturerId, 1, hashes)
    const notAfter = nowSeconds() + 20 * 365 * 86_400
    await works.registerBatch({ root: tree.root, size: DEVICES, notAfter, issuerKeyId: issuer.keyId, series: 1 })

    await writeFile(join(folder, "net.json"), formatDeployment({ ...net.deployment, rpc: server.url }))
    await mkdir(join(folder, "certs"))
    for (const [i, { der }] of devices.entries()) {
      await writeFile(join(folder, "certs", `${i + 1}.pem`), encodePem("CERTIFICATE", der))
    }
    const receipts = hashes.map((credentialHash, i) => ({ credentialHash, receipt: tree.receipt(i) }))
    await writeReceipts(join(folder, "receipts"), receipts)
  }

  it("is the file that is run here, line for line, and short", () => {
    const example = asUser(readText(EXAMPLE))
    expect(readText("README.md")).toContain(`\`\`\`ts\n${example}\`\`\``)
    expect(example.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(20)
  })

  it("prints what its remarks say, and pays once", async () => {
    const transactions = (): Promise<unknown> => net.ask("eth_getTransactionCount", payer(1).address, "latest")
    const first = await runExample()
    const paid = await transactions()
    const second = await runExample()

    const remarks = [...readText(EXAMPLE).matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, remark]) => remark)
    expect(first.trim().split("\n")).toEqual(remarks)
    expect(second.trim().split("\n")).toEqual([remarks[0]?.replace("good", "revoked"), "revoked"])
    expect(await transactions()).toBe(paid)
  })

  async function runExample(): Promise<string> {
    const env = { ...process.env, NO_COLOR: "1", FLEETROOT_PRIVATE_KEY: TEST_KEYS[1] }
    const script = fileURLToPath(new URL(`../../../${EXAMPLE}`, import.meta.url))
    const { stdout } = await run(process.execPath, [script], { cwd: folder, env })
    return stdout
  }
})
