import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { artifacts } from "hardhat"
import { decodeFunctionResult, encodeFunctionData } from "viem"
import type { AccessList, Abi, Hex } from "viem"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { fromHex, MerkleTree, sha256, toHex } from "../../client/index.ts"
import { addKeyCall, batchForCall, FAR, hashOf, openStage, send, signLow, testKey } from "./helpers/stage.ts"
import type { Call, Stage } from "./helpers/stage.ts"

/**
 * What the contracts cost, from receipts on EDR at `osaka`, against the committed snapshot. Write it anew with
 * `UPDATE_SNAPSHOTS=1 node_modules/.bin/vitest run test/contracts/gas.test.ts`; the commit says why a figure moved.
 */
const SNAPSHOT = new URL("gas.json", import.meta.url)
const GAS_CAP = 16_777_216
const CODE_CAP = 24_576
const MAX_LIST = 512
const MAKER = 2
const OPERATOR = 3
const STRANGER = 4

describe("gas", () => {
  const figures: Record<string, number> = {}
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage()
    await measureAll(stage, figures)
  })
  afterAll(() => stage.close())

  it("is what the snapshot says", () => {
    if (process.env["UPDATE_SNAPSHOTS"] === "1") writeFileSync(SNAPSHOT, `${JSON.stringify(figures, null, 2)}\n`)
    expect(existsSync(SNAPSHOT)).toBe(true)
    expect(figures).toEqual(JSON.parse(readFileSync(SNAPSHOT, "utf8")))
  })

  it("stays below the cap of a transaction with the longest lists", () => {
    const longest = Object.entries(figures).filter(([name]) => name.includes(String(MAX_LIST)))
    expect(longest.length).toBeGreaterThanOrEqual(4)
    for (const [, gas] of longest) expect(gas).toBeLessThan(GAS_CAP)
  })

  it("leaves every contract below the limit of code", () => {
    const sizes = Object.entries(figures).filter(([name]) => name.startsWith("octets of code"))
    expect(sizes).toHaveLength(4)
    for (const [, size] of sizes) expect(size).toBeLessThan(CODE_CAP)
  })
})

async function measureAll(stage: Stage, figures: Record<string, number>): Promise<void> {
  const note = async (name: string, account: number, call: Call): Promise<void> => {
    figures[name] = Number((await send(stage, account, call)).gasUsed)
  }
  const { devices, manufacturers } = stage
  const on = (contract: Call["contract"], functionName: string, ...args: unknown[]): Call => ({
    contract,
    functionName,
    args,
  })
  const issuer = testKey("gas issuer")
  const open = testKey("gas open issuer")

  await note(
    "admit",
    0,
    on(manufacturers, "admit", stage.accounts[MAKER]?.address, "Acme Works", "https://acme.example"),
  )
  await note("addKey, P-256, the first", MAKER, addKeyCall(stage, 1, issuer, "issuer"))
  await note("addKey, P-256", MAKER, addKeyCall(stage, 1, open, "openIssuer"))
  await note("setOperator", MAKER, on(manufacturers, "setOperator", 1, stage.accounts[OPERATOR]?.address, 7, FAR))

  const batch = (series: number, root: Hex = hashOf(`root ${series}`), size = 1_000_000) => ({
    series,
    size,
    keyIndex: 1,
    notAfter: FAR,
    root,
  })
  await note("registerBatch, the manufacturer's first entry", OPERATOR, on(devices, "registerBatch", 1, batch(1)))
  await note("registerBatch", OPERATOR, on(devices, "registerBatch", 1, batch(2)))
  await note("registerBatchFor", STRANGER, batchForCall(stage, 1, issuer, batch(3)))

  const hashes = (count: number, tag: string) => Array.from({ length: count }, (_, i) => hashOf(`${tag} ${i}`))
  const credentials = (count: number, tag: string) =>
    on(
      devices,
      "registerCredentials",
      1,
      2,
      hashes(count, tag),
      Array.from({ length: count }, () => FAR),
    )
  await note("registerCredentials of 1", OPERATOR, credentials(1, "one"))
  await note("registerCredentials of 100", OPERATOR, credentials(100, "hundred"))
  await note(`registerCredentials of ${MAX_LIST}`, OPERATOR, credentials(MAX_LIST, "most"))
  const tbs = new TextEncoder().encode("a certificate to be signed")
  const { r, s } = signLow(open, tbs)
  await note(
    "registerIssued",
    STRANGER,
    on(devices, "registerIssued", 1, 2, hashOf("a certificate to be signed"), r, s),
  )

  const targets = (count: number, tag: string) =>
    hashes(count, tag).map((subject, index) => ({ subject, series: 1, index }))
  await note("revoke of 1", OPERATOR, on(devices, "revoke", 1, targets(1, "revoked one"), 1, 0))
  await note("revoke of 100", OPERATOR, on(devices, "revoke", 1, targets(100, "revoked"), 1, 0))
  await note(`revoke of ${MAX_LIST}`, OPERATOR, on(devices, "revoke", 1, targets(MAX_LIST, "most revoked"), 1, 0))
  await note("hold of 1", OPERATOR, on(devices, "hold", 1, targets(1, "held one")))
  await note(`hold of ${MAX_LIST}`, OPERATOR, on(devices, "hold", 1, targets(MAX_LIST, "most held")))

  const all = 2n ** 256n - 1n
  const words = (series: number, list: readonly number[], mask: bigint) =>
    on(
      devices,
      "revokeWords",
      1,
      series,
      list,
      list.map(() => mask),
      1,
    )
  await note("revokeWords, 256 neighbours in one word", OPERATOR, words(1, [3], all))
  await note("revokeWords, one place in a fresh word", OPERATOR, words(2, [3], 1n))
  await note("revokeWords, one place in a used word", OPERATOR, words(2, [3], 2n))
  const most = Array.from({ length: MAX_LIST }, (_, i) => i)
  await note(`revokeWords of ${MAX_LIST} words`, OPERATOR, words(3, most, all))
  await note("revokeBatch", OPERATOR, on(devices, "revokeBatch", 1, 2, 1))

  await measureStatus(stage, figures, batch, note)
  for (const name of ["FleetrootAccess", "ManufacturerRegistry", "DeviceRegistry", "FirmwareRegistry"]) {
    const { deployedBytecode } = await artifacts.readArtifact(name)
    figures[`octets of code, ${name}`] = deployedBytecode.length / 2 - 1
  }
}

type Note = (name: string, account: number, call: Call) => Promise<void>

/** What an on-chain user of the registry pays for one answer, with a proof of depth 20. */
async function measureStatus(
  stage: Stage,
  figures: Record<string, number>,
  batch: (series: number, root: Hex, size: number) => unknown,
  note: Note,
): Promise<void> {
  const index = 0b1010_1010_1010_1010_1010
  const size = 2 ** 20
  // A tree of 2^20 leaves whose other subtrees are made up: the proof is all that the contract sees.
  const credentialHash = hashOf("device in a million")
  const proof = Array.from({ length: 20 }, (_, level) => hashOf(`sibling ${level}`))
  const leaf = MerkleTree.fromCredentialHashes([fromHex(credentialHash)]).root()
  let node: Hex = toHex(leaf)
  for (const [level, sibling] of proof.entries()) {
    node = (index >> level) & 1 ? nodeOf(sibling, node) : nodeOf(node, sibling)
  }
  await note("registerBatch of 2^20", OPERATOR, {
    contract: stage.devices,
    functionName: "registerBatch",
    args: [1, batch(9, node, size)],
  })
  const { abi } = await artifacts.readArtifact("StatusCaller")
  const address = await stage.deploy("StatusCaller", [stage.devices.address])
  const functionName = "measure"
  const args = [1, 9, BigInt(index), credentialHash, testKey("device").keyId, proof]
  const data = encodeFunctionData({ abi: abi as Abi, functionName, args })
  const measured = async (accessList: AccessList): Promise<number> => {
    const answer = await stage.client.call({ to: address, data, accessList })
    const result = decodeFunctionResult({ abi: abi as Abi, functionName, data: answer.data as Hex })
    const [verdict, gasUsed] = result as [{ status: number }, bigint]
    expect(verdict.status).toBe(1)
    return Number(gasUsed)
  }
  figures["statusOf with a proof of depth 20, called by a contract"] = await measured([])
  // The first touch of an address costs its caller 2,500 gas, whatever is there (EIP-2929).
  const touched = await measured([{ address: stage.devices.address, storageKeys: [] }])
  figures["statusOf with a proof of depth 20, the registry touched before"] = touched
}

function nodeOf(left: Hex, right: Hex): Hex {
  return toHex(sha256(new Uint8Array([1, ...fromHex(left), ...fromHex(right)])))
}
