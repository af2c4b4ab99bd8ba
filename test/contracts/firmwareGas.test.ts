import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { firmwareRegistryAbi } from "../../client/abi/FirmwareRegistry.ts"
import { releaseStatement } from "../../client/index.ts"
import { addKeyCall, hashOf, openStage, send, signLow, testKey } from "./helpers/stage.ts"
import type { Call, Stage } from "./helpers/stage.ts"

/**
 * What each call of the firmware registry costs, from receipts on EDR at `osaka`, against the committed snapshot. Write it anew
 * with `UPDATE_SNAPSHOTS=1 node_modules/.bin/vitest run test/contracts/firmwareGas.test.ts`; the commit says why a figure moved.
 */
const SNAPSHOT = new URL("firmwareGas.json", import.meta.url)
const GOVERNOR = 0
const MAKER = 2
const STRANGER = 4
const NO_MANIFEST = `0x${"0".repeat(64)}` as const
const SIGNERS = Array.from({ length: 8 }, (_, i) => testKey(`firmware signer ${i}`))

type Release = { product?: string; manifest?: boolean; uri?: string; count?: number }
type Note = (name: string, account: number, call: Call) => Promise<void>

describe("gas of firmware releases", () => {
  const figures: Record<string, number> = {}
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage()
    await measure(stage, async (name, account, call) => {
      figures[name] = Number((await send(stage, account, call)).gasUsed)
    })
  })
  afterAll(() => stage.close())

  it("is what the snapshot says", () => {
    if (process.env["UPDATE_SNAPSHOTS"] === "1") writeFileSync(SNAPSHOT, `${JSON.stringify(figures, null, 2)}\n`)
    expect(existsSync(SNAPSHOT)).toBe(true)
    expect(figures).toEqual(JSON.parse(readFileSync(SNAPSHOT, "utf8")))
  })

  it("is at most 150,000 for one signature", () => {
    expect(figures["publish with 1 signature"]).toBeLessThanOrEqual(150_000)
    expect(figures["publish, a product's first release, without a manifest"]).toBeLessThanOrEqual(150_000)
  })

  it("is at most 16,000 more for each further signature", () => {
    for (let count = 2; count <= 8; count++) {
      expect(publishing(figures, count) - publishing(figures, count - 1)).toBeLessThanOrEqual(16_000)
    }
  })
})

function publishing(figures: Record<string, number>, count: number): number {
  return figures[`publish with ${count} ${count === 1 ? "signature" : "signatures"}`] ?? Number.NaN
}

async function measure(stage: Stage, note: Note): Promise<void> {
  const address = await stage.deploy("FirmwareRegistry", [stage.manufacturers.address, stage.access.address])
  const firmware = { address, abi: firmwareRegistryAbi }
  await send(stage, GOVERNOR, {
    contract: stage.manufacturers,
    functionName: "admit",
    args: [stage.accounts[MAKER]?.address, "Acme Works", "https://acme.example"],
  })
  for (const signer of SIGNERS) await send(stage, MAKER, addKeyCall(stage, 1, signer, "firmware"))

  let securityVersion = 0
  const publish = ({ product = "product", manifest = true, uri, count = 1 }: Release): Call => {
    securityVersion++
    const input = {
      product: hashOf(product),
      securityVersion,
      imageDigest: hashOf(`image ${securityVersion}`),
      manifestDigest: manifest ? hashOf(`manifest ${securityVersion}`) : NO_MANIFEST,
      version: "1.4.0",
      uri: uri ?? "https://acme.example/app-v1.4.0.bin",
    }
    const { manifestDigest } = input
    const fields = { ...input, manifestDigest: manifestDigest === NO_MANIFEST ? undefined : manifestDigest }
    const statement = releaseStatement({ chainId: 31_337, registry: address, manufacturerId: 1, ...fields })
    const signatures = SIGNERS.slice(0, count).map((signer, i) => ({ keyIndex: 1 + i, ...signLow(signer, statement) }))
    return { contract: firmware, functionName: "publish", args: [1, input, signatures] }
  }
  const on = (functionName: string, ...args: unknown[]): Call => ({ contract: firmware, functionName, args })

  await note("publish, the manufacturer's first entry", STRANGER, publish({}))
  await note("publish, a product's first release", STRANGER, publish({ product: "second" }))
  const bare = publish({ product: "third", manifest: false })
  await note("publish, a product's first release, without a manifest", STRANGER, bare)
  await note("publish, repeated", STRANGER, bare)
  for (let count = 1; count <= 8; count++) {
    await note(`publish with ${count} ${count === 1 ? "signature" : "signatures"}`, STRANGER, publish({ count }))
  }
  await note("publish with 1 signature, without a manifest", STRANGER, publish({ manifest: false }))
  await note("publish with 1 signature, without a URI", STRANGER, publish({ uri: "" }))
  await note("publish with 1 signature, with the longest URI", STRANGER, publish({ uri: "u".repeat(512) }))
  await note("recall", MAKER, on("recall", 1, hashOf("product"), BigInt(securityVersion), "bricks radio"))
  await note("raiseMinimum", MAKER, on("raiseMinimum", 1, hashOf("product"), 4n))
  await note("setThreshold, the first", MAKER, on("setThreshold", 1, 3))
  await note("setThreshold, lower", MAKER, on("setThreshold", 1, 2))
}
