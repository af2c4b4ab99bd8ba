import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { generateP256Key } from "../../../client/index.ts"
import type { Hex, KeySigner, ManufacturerClient, Receipt, Verifier } from "../../../client/index.ts"
import { anvilLedger } from "../../helpers/anvil.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

/** Anvil calls a block final two epochs later. It forgets states after a thousand blocks, so blocks are few here. */
const EPOCH = 9
const FINAL_AFTER = 2 * EPOCH
const DEPTHS = Array.from({ length: 16 }, (_, i) => i + 1)
const FAR = 4_000_000_000

let net: TestLedger
let maker: ManufacturerClient
let issuer: KeySigner
let devices: Device[]
let receipts: Receipt[]

beforeAll(async () => {
  net = await anvilLedger({ epoch: EPOCH })
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  devices = await Promise.all(Array.from({ length: 40 }, () => makeDevice({ issuer, notAfter: FAR })))
  const hashes = devices.map((device) => device.certificate.credentialHash)
  const tree = makeTree(net.deployment, maker.manufacturerId, 1, hashes)
  receipts = devices.map((_, i) => tree.receipt(i))
  await maker.registerBatch({ root: tree.root, size: 40, notAfter: FAR, issuerKeyId: issuer.keyId, series: 1 })
  await mine(FINAL_AFTER)
})
afterAll(() => net.close())

async function mine(blocks: number): Promise<void> {
  if (blocks > 0) await net.ask("anvil_mine", `0x${blocks.toString(16)}`)
  await net.syncClock()
}

async function reorganise(depth: number): Promise<void> {
  await net.ask("anvil_reorg", depth, [])
  await net.syncClock()
}

async function ask(verifier: Verifier, i: number): Promise<string> {
  await net.syncClock()
  const { status } = await verifier.checkCertificate((devices[i] as Device).der, { receipt: receipts[i] as Receipt })
  return status
}

const subject = (i: number): { subject: Hex } => ({ subject: (devices[i] as Device).certificate.credentialHash })

/** What a verifier that saw nothing before says. */
const stranger = (): Verifier => net.verifier({ ledger: net.freshView() })

describe("Verifier, when blocks are taken back", () => {
  it.each(DEPTHS)("keeps to a revocation that it saw until the chain is final without it, %i deep", async (depth) => {
    const verifier = net.verifier()
    expect(await ask(verifier, depth)).toBe("good")
    await maker.revoke([subject(depth)], { reason: 1 })
    await mine(depth - 1)
    expect(await ask(verifier, depth)).toBe("revoked")

    await reorganise(depth)
    expect(await ask(stranger(), depth)).toBe("good")
    for (const blocks of [0, 1, EPOCH - 1, EPOCH - 1]) {
      await mine(blocks)
      expect(await ask(verifier, depth)).toBe("revoked")
    }

    await mine(1)
    expect(await ask(verifier, depth)).toBe("good")
  })

  it.each([1, 4, 16])("ends with what the chain says when the revocation comes again, %i deep", async (depth) => {
    const i = 16 + depth
    const verifier = net.verifier()
    await maker.revoke([subject(i)], { reason: 1 })
    await mine(depth - 1)
    expect(await ask(verifier, i)).toBe("revoked")
    await reorganise(depth)
    expect(await ask(verifier, i)).toBe("revoked")
    await maker.revoke([subject(i)], { reason: 4 })
    expect(await ask(verifier, i)).toBe("revoked")

    await mine(FINAL_AFTER + 1)

    expect(await ask(verifier, i)).toBe("revoked")
    expect(await ask(stranger(), i)).toBe("revoked")
  })

  it.each([1, 7, 16])(
    "keeps to a suspension that it saw, for every device of the manufacturer, %i deep",
    async (depth) => {
      const verifier = net.verifier()
      await net.governance().suspend(maker.manufacturerId)
      await mine(depth - 1)
      expect(await ask(verifier, 0)).toBe("onHold")

      await reorganise(depth)

      expect(await ask(stranger(), 35)).toBe("good")
      expect(await ask(verifier, 0)).toBe("onHold")
      expect(await ask(verifier, 35)).toBe("onHold")
      await mine(FINAL_AFTER + 1)
      expect(await ask(verifier, 35)).toBe("good")
    },
  )

  it("does not believe a registration, nor the end of a hold, before it is final", async () => {
    const verifier = net.verifier()
    const fresh = await makeDevice({ issuer, notAfter: FAR })
    const tree = makeTree(net.deployment, maker.manufacturerId, 2, [fresh.certificate.credentialHash])
    await maker.registerBatch({ root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, series: 2 })
    const askFresh = async (): Promise<string | null> => {
      await net.syncClock()
      const verdict = await verifier.checkCertificate(fresh.der, { receipt: tree.receipt(0) })
      return verdict.reason ?? verdict.status
    }
    expect(await askFresh()).toBe("notFinal")
    await mine(FINAL_AFTER)
    expect(await askFresh()).toBe("good")

    await maker.hold([{ subject: fresh.certificate.credentialHash }])
    await mine(FINAL_AFTER)
    await maker.unhold([{ subject: fresh.certificate.credentialHash }])
    expect(await askFresh()).toBe("certificateHold")
    await reorganise(1)
    expect(await askFresh()).toBe("certificateHold")
    await maker.unhold([{ subject: fresh.certificate.credentialHash }])
    await mine(FINAL_AFTER)
    expect(await askFresh()).toBe("good")
  })

  it("says nothing more once a block that was final is gone", async () => {
    const verifier = net.verifier()
    expect(await ask(verifier, 36)).toBe("good")

    await reorganise(FINAL_AFTER + 2)

    await expect(ask(verifier, 36)).rejects.toMatchObject({ name: "HeadRolledBackError" })
  })
})
