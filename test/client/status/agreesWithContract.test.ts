import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import { generateP256Key, REVOCATION_REASONS, toHex } from "../../../client/index.ts"
import type { Hex, KeySigner, LedgerKey, ManufacturerClient, Receipt, RpcLedger } from "../../../client/index.ts"
import { decodeView, encodeView } from "../../../client/ledger/contractCalls.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const STATUSES = ["unknown", "good", "onHold", "revoked", "expired"] as const
const DAY = 86_400
/** Devices with these indices are in batch 1, the others in batch 2. */
const IN_FIRST = 3
const IN_BATCHES = 5
const ALL = 7

let net: TestLedger
let maker: ManufacturerClient
let issuer: LedgerKey
let open: LedgerKey
let devices: Device[]
let receipts: Receipt[]

beforeAll(async () => {
  net = await freshLedger()
  maker = await net.admit("Acme Works")
  const [issuerSigner, openSigner] = await Promise.all([generateP256Key(), generateP256Key()])
  issuer = (await maker.addKey({ purpose: "issuer", signer: issuerSigner })).key
  open = (await maker.addKey({ purpose: "openIssuer", signer: openSigner })).key
  await net.pass(10)
  const shared = await generateP256Key()
  const notAfter = (await net.now()) + 9000 * DAY
  const keyOf = (i: number): KeySigner => (i < IN_BATCHES ? issuerSigner : openSigner)
  // The last of each kind have one key, so that its mark hits both.
  devices = await Promise.all(
    Array.from({ length: ALL }, (_, i) =>
      makeDevice({ issuer: keyOf(i), notAfter, ...(i === 4 || i === 6 ? { signer: shared } : {}) }),
    ),
  )
  const hashes = devices.map((device) => device.certificate.credentialHash)
  const first = makeTree(net.deployment, maker.manufacturerId, 1, hashes.slice(0, IN_FIRST))
  const second = makeTree(net.deployment, maker.manufacturerId, 2, hashes.slice(IN_FIRST, IN_BATCHES))
  const ends = { notAfter: (await net.now()) + 300 * DAY, issuerKeyId: issuer.keyId }
  await maker.registerBatch({ ...ends, root: first.root, size: first.size, series: 1 })
  await net.pass(10)
  await maker.registerBatch({ ...ends, root: second.root, size: second.size, series: 2 })
  await maker.registerCredentials(open.index, [{ credentialHash: hashes[5] as Hex, notAfter: ends.notAfter }])
  receipts = [0, 1, 2].map((i) => first.receipt(i)).concat([0, 1].map((i) => second.receipt(i)))
  await net.pass(10)
})
afterAll(() => net.close())

/** One thing that somebody does to the ledger; what the contract refuses changes nothing. */
type Step =
  | { does: "revoke" | "hold" | "unhold"; subject: number; what: "credentialHash" | "keyId"; reason: number }
  | { does: "revokePlace"; series: number; index: number; reason: number }
  | { does: "revokeBatch" | "holdBatch" | "unholdBatch"; series: number; reason: number }
  | { does: "suspend" | "confirmSuspension" | "resume" | "resign" | "registerLast" }
  | { does: "revokeKey" | "declareCompromise"; purpose: "issuer" | "open"; back: number }
  | { does: "pass"; seconds: number }

const reason = fc.constantFrom(0, 1, 2, 3, 4, 5, 9, 10)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom("revoke", "hold", "unhold", "hold"),
      subject: fc.nat(ALL - 1),
      what: fc.constantFrom("credentialHash", "keyId"),
      reason,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("revokePlace" as const),
      series: fc.integer({ min: 1, max: 2 }),
      index: fc.nat(1),
      reason,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom("revokeBatch", "holdBatch", "unholdBatch"),
      series: fc.integer({ min: 1, max: 2 }),
      reason,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constantFrom("suspend", "confirmSuspension", "resume", "resign", "registerLast") }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom("revokeKey", "declareCompromise"),
      purpose: fc.constantFrom("issuer", "open"),
      back: fc.integer({ min: 0, max: 40 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("pass" as const),
      seconds: fc.constantFrom(1, 5, 13 * DAY, 15 * DAY, 290 * DAY),
    }),
  },
) as fc.Arbitrary<Step>

async function carryOut(step: Step): Promise<void> {
  const governance = net.governance()
  const id = maker.manufacturerId
  switch (step.does) {
    case "revoke":
      return void (await maker.revoke([subjectOf(step)], { reason: step.reason }))
    case "hold":
      return void (await maker.hold([subjectOf(step)]))
    case "unhold":
      return void (await maker.unhold([subjectOf(step)]))
    case "revokePlace":
      return void (await maker.revokePlaces(step.series, [step.index], step.reason))
    case "revokeBatch":
      return void (await maker.revokeBatch(step.series, step.reason))
    case "holdBatch":
      return void (await maker.holdBatch(step.series))
    case "unholdBatch":
      return void (await maker.unholdBatch(step.series))
    case "suspend":
    case "confirmSuspension":
    case "resume":
      return void (await governance[step.does](id))
    case "resign": {
      const to = net.deployment.contracts.manufacturers.address
      return void (await net.writer(1).write({ to, abi: manufacturerRegistryAbi, functionName: "resign", args: [id] }))
    }
    case "registerLast": {
      const credentialHash = devices[ALL - 1]?.certificate.credentialHash as Hex
      return void (await maker.registerCredentials(open.index, [{ credentialHash }]))
    }
    case "revokeKey":
      return void (await maker.revokeKey((step.purpose === "issuer" ? issuer : open).index))
    case "declareCompromise": {
      const since = new Date(((await net.now()) - step.back) * 1000)
      return void (await maker.declareCompromise((step.purpose === "issuer" ? issuer : open).index, since))
    }
    case "pass":
      return void (await net.pass(step.seconds))
  }
}

function subjectOf({ subject, what }: { subject: number; what: "credentialHash" | "keyId" }): { subject: Hex } {
  return { subject: devices[subject]?.certificate[what] as Hex }
}

/** What the contract itself says, at the newest block. */
async function contractSays(ledger: RpcLedger, i: number): Promise<{ status: string; reason: number }> {
  const { block } = await ledger.at("latest")
  const { credentialHash, keyId } = (devices[i] as Device).certificate
  const receipt = receipts[i]
  const data =
    receipt === undefined
      ? encodeView({
          abi: deviceRegistryAbi,
          functionName: "statusOfRecord",
          args: [maker.manufacturerId, credentialHash, keyId],
        })
      : encodeView({
          abi: deviceRegistryAbi,
          functionName: "statusOf",
          args: [
            maker.manufacturerId,
            receipt.series,
            BigInt(receipt.index),
            credentialHash,
            keyId,
            receipt.proof.map(toHex),
          ],
        })
  const reply = await net.ask(
    "eth_call",
    { to: net.deployment.contracts.devices.address, data },
    { blockHash: block.hash },
  )
  const call = { abi: deviceRegistryAbi, functionName: "statusOfRecord", args: [1, credentialHash, keyId] } as const
  const { status, reason: code } = decodeView(call, reply)
  return { status: STATUSES[status] ?? "?", reason: code }
}

describe("The client and the contract", () => {
  it("say the same of every device in every state that the ledger can come to", async () => {
    const seen = new Map<string, number>()
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 9 }), async (steps) => {
        const snapshot = await net.ask("evm_snapshot")
        for (const one of steps) {
          await carryOut(one).then(
            () => (accepted += 1),
            (error: unknown) => {
              expect((error as Error).name).toMatch(/ContractReverted|AlreadyRevoked|NotOnHold/)
            },
          )
        }
        await net.ask("evm_mine")
        await net.syncClock()
        const verifier = net.verifier({ ledger: net.freshView() })
        for (const [i, device] of devices.entries()) {
          const receipt = receipts[i]
          const verdict = await verifier.checkCertificate(device.der, receipt === undefined ? {} : { receipt })
          const said = await contractSays(net.freshView(), i)
          // Of what is not registered the contract tells revocations, the client holds too. Neither is good.
          const held =
            receipt === undefined &&
            said.status === "unknown" &&
            verdict.status === "onHold" &&
            verdict.anchoredAt === null
          if (!held)
            expect({ i, status: verdict.status, detail: verdict.detail }).toMatchObject({ i, status: said.status })
          if (receipt !== undefined && verdict.status === "revoked" && !verdict.detail.includes("place")) {
            expect(verdict.reason).toBe(REVOCATION_REASONS[said.reason])
          }
          seen.set(verdict.status, (seen.get(verdict.status) ?? 0) + 1)
        }
        await net.ask("evm_revert", snapshot)
      }),
      { numRuns: 60, seed: 20_260_101 },
    )

    expect([...seen.keys()].sort()).toEqual(["expired", "good", "onHold", "revoked", "unknown"])
    expect(accepted).toBeGreaterThan(150)
  })
})
