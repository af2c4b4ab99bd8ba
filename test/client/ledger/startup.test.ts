// What a program loads before its first answer: each library here once cost more than all else together.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { encodeReceipt, formatDeployment, generateP256Key } from "../../../client/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { makeDevice, makeTree, nowSeconds } from "../../helpers/fleet.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const ROOT = fileURLToPath(new URL("../../..", import.meta.url))
/** Loaded only where something is signed, built or proven. */
const LATER = [
  "viem",
  "ethers",
  "@peculiar/asn1-schema",
  "@peculiar/asn1-x509",
  "@ethereumjs/mpt",
  "hono",
  "pg",
  "pino",
]
/** Of ox, a part of which is needed, these are never. */
const NOT_OF_OX = ["ox/_esm/index.js", "ox/_esm/erc4337/", "ox/_esm/core/Ens.js", "ox/_esm/core/Mnemonic.js"]

const WATCH = `
import { registerHooks } from "node:module"
import { writeFileSync } from "node:fs"
const loaded = new Set()
registerHooks({ load: (url, context, next) => { loaded.add(url); return next(url, context) } })
process.on("exit", () => writeFileSync(process.env.LOADED_FILE, JSON.stringify([...loaded])))
`

let net: TestLedger & { url: string }
let folder: string
const fileOf = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fleetroot-startup-"))
  net = await anvilLedger()
  const maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  const { der, certificate } = await makeDevice({ issuer })
  const tree = makeTree(net.deployment, maker.manufacturerId, 1, [certificate.credentialHash])
  const notAfter = nowSeconds() + 1_000_000_000
  await maker.registerBatch({ root: tree.root, size: 1, notAfter, issuerKeyId: issuer.keyId, series: 1 })
  await net.pass(1)
  writeFileSync(fileOf("device.der"), der)
  writeFileSync(fileOf("device.receipt"), encodeReceipt(tree.receipt(0)))
  writeFileSync(fileOf("net.json"), formatDeployment({ ...net.deployment, rpc: net.url }))
  writeFileSync(fileOf("watch.mjs"), WATCH)
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await net.close()
})

/** What a run loaded, by package or by path in the project. */
function loadedBy(args: readonly string[]): { files: string[]; status: number | null; out: string } {
  const watch = pathToFileURL(fileOf("watch.mjs")).href
  const { stderr, stdout, status } = spawnSync(process.execPath, ["--import", watch, ...args], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: folder, XDG_STATE_HOME: folder, LOADED_FILE: fileOf("loaded.json") },
  })
  const urls = JSON.parse(readFileSync(fileOf("loaded.json"), "utf8")) as string[]
  const paths = urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url))
  const files = paths.map((path) => path.split("/node_modules/").at(-1)?.replace(ROOT, "") ?? path)
  return { files, status, out: stdout + stderr }
}

function assertLight({ files, status, out }: ReturnType<typeof loadedBy>): void {
  if (status !== 0) throw new Error(`it ended with ${status}: ${out}`)
  // Else the hook saw nothing, and all would be well for ever.
  expect(files).toContain("client/ledger/rpcLedger.ts")
  expect(files.filter((file) => LATER.some((name) => file.startsWith(`${name}/`)))).toEqual([])
  expect(files.filter((file) => NOT_OF_OX.some((part) => file.startsWith(part)))).toEqual([])
}

describe("The first status", () => {
  const program = (door: string): string => `
import { readFileSync } from "node:fs"
import { httpRpc, parseDeployment, RpcLedger, Verifier } from ${JSON.stringify(pathToFileURL(join(ROOT, door)).href)}
const deployment = parseDeployment(readFileSync(${JSON.stringify(fileOf("net.json"))}, "utf8"))
const ledger = new RpcLedger({ deployment, rpc: httpRpc(deployment.rpc) })
const [certificate, receipt] = ["device.der", "device.receipt"].map((name) => new Uint8Array(readFileSync(${JSON.stringify(folder)} + "/" + name)))
const verdict = await new Verifier({ ledger, maxAgeSeconds: 1e9 }).checkCertificate(certificate, { receipt })
if (verdict.status !== "good") throw new Error(JSON.stringify(verdict))
`

  it.each(["client/index.ts", "client/verify.ts"])("through %s loads no library that it does not need", (door) => {
    writeFileSync(fileOf("first.mjs"), program(door))
    assertLight(loadedBy([fileOf("first.mjs")]))
  })

  it("by the small door loads no part of the client that it does not need", () => {
    writeFileSync(fileOf("first.mjs"), program("client/verify.ts"))
    const { files } = loadedBy([fileOf("first.mjs")])
    const others =
      /^client\/(batch|device|ethers|firmware|governance|manufacturer|node|snapshot|ledger\/(proven|quorum))\//
    expect(files.filter((file) => others.test(file))).toEqual([])
  })

  it("by the command loads no library that it does not need", () => {
    const files = [fileOf("device.der"), "--receipt", fileOf("device.receipt"), "--deployment", fileOf("net.json")]
    const command = join(ROOT, "scripts/cli/main.ts")
    assertLight(loadedBy([command, "status", ...files, "--max-age", "1000000000"]))
  })
})
