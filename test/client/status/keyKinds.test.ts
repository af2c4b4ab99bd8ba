import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import { keyPossessionStatement, KeyOwnerAmbiguousError, nobleCrypto, toHex } from "../../../client/index.ts"
import type { KeyAlgorithm, KeySigner, ManufacturerClient, Receipt } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { generateSigner } from "../../helpers/signers.ts"

const FAR = 4_000_000_000
const KINDS: readonly KeyAlgorithm[] = ["p256", "p384", "rsa", "ed25519"]
/** Kinds that the contract cannot check. */
const CLAIMED = KINDS.filter((kind) => kind !== "p256")

let net: TestLedger
let victim: ManufacturerClient
let thief: ManufacturerClient
let series = 0

beforeAll(async () => {
  net = await freshLedger()
  victim = await net.admit("Acme Works", 1)
  thief = await net.admit("Thieves Ltd", 2)
})
afterAll(() => net.close())

/** Registers a device's certificate in a batch of its own. */
async function inBatch(maker: ManufacturerClient, issuer: KeySigner, device: Device): Promise<Receipt> {
  series += 1
  const tree = makeTree(net.deployment, maker.manufacturerId, series, [device.certificate.credentialHash])
  await maker.registerBatch({ root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, series })
  return tree.receipt(0)
}

/** Puts a key on the ledger with any proof at all, past the client's own checks. */
async function claim(maker: ManufacturerClient, account: number, signer: KeySigner, proof: Uint8Array): Promise<void> {
  await net.writer(account).write({
    to: net.deployment.contracts.manufacturers.address,
    abi: manufacturerRegistryAbi,
    functionName: "addKey",
    args: [maker.manufacturerId, 1, 0, FAR, toHex(signer.spki), toHex(proof)],
  })
}

function statement(
  maker: ManufacturerClient,
  signer: KeySigner,
  purpose: "issuer" | "openIssuer" = "issuer",
): Uint8Array {
  const { chainId, contracts } = net.deployment
  const domain = { chainId, verifyingContract: contracts.manufacturers.address }
  return keyPossessionStatement(domain, { manufacturerId: maker.manufacturerId, keyId: signer.keyId, purpose })
}

describe.each(KINDS)("An issuer with a key of kind %s", (kind) => {
  it("is found and its certificates verified, by batch and by record, natively and by noble where it can", async () => {
    const [issuer, open] = await Promise.all([generateSigner(kind), generateSigner(kind)])
    const { key } = await victim.addKey({ purpose: "issuer", signer: issuer })
    const { key: openKey } = await victim.addKey({ purpose: "openIssuer", signer: open })
    const [batched, lone] = await Promise.all([makeDevice({ issuer }), makeDevice({ issuer: open })])
    const receipt = await inBatch(victim, issuer, batched)
    await victim.registerCredentials(openKey.index, [{ credentialHash: lone.certificate.credentialHash }])
    await net.pass(1)
    const verifier = net.verifier()

    expect(key).toMatchObject({ keyId: issuer.keyId, proven: kind === "p256" })
    expect(await verifier.checkCertificate(batched.der, { receipt })).toMatchObject({
      status: "good",
      batch: { series },
    })
    expect(await verifier.checkCertificate(lone.der)).toMatchObject({ status: "good", batch: null })
    expect(await verifier.checkCertificate(lone.der, { issuerKeyId: open.keyId })).toMatchObject({ status: "good" })
    expect(await verifier.checkCertificate(lone.der, { issuerKeyId: issuer.keyId })).toMatchObject({
      status: "unknown",
      reason: "signatureInvalid",
    })
    if (kind !== "rsa") {
      const noble = net.verifier({ crypto: nobleCrypto })
      expect(await noble.checkCertificate(batched.der, { receipt })).toMatchObject({ status: "good" })
    }
  })

  it("is no issuer of a certificate that another key of the kind signed", async () => {
    const [issuer, other] = await Promise.all([generateSigner(kind), generateSigner(kind)])
    await victim.addKey({ purpose: "issuer", signer: issuer })
    const forged = await makeDevice({ issuer: other })
    const receipt = await inBatch(victim, issuer, forged)
    await net.pass(1)

    expect(await net.verifier().checkCertificate(forged.der, { receipt })).toMatchObject({
      status: "unknown",
      reason: "signatureInvalid",
    })
  })
})

describe.each(CLAIMED)("A key of kind %s that somebody else holds", (kind) => {
  it("is not his who claims it without a proof, with another's, or with one for another purpose", async () => {
    const signer = await generateSigner(kind)
    const foreign = await signer.sign(statement(victim, signer))
    const wrongPurpose = await signer.sign(statement(thief, signer, "openIssuer"))
    const other = await generateSigner(kind)
    const byOther = await other.sign(statement(thief, signer))
    const keysBefore = (await thief.keys()).length

    for (const proof of [Uint8Array.of(0), foreign, wrongPurpose, byOther]) {
      await net.inScratch(async () => {
        await claim(thief, 2, signer, proof)
        const view = await net.freshView().at("latest")
        expect(await view.keyById(signer.keyId)).toBeUndefined()
        expect((await view.manufacturer(thief.manufacturerId))?.keyCount).toBeGreaterThan(keysBefore)
      })
    }
    await claim(thief, 2, signer, foreign)
    const { key } = await victim.addKey({ purpose: "issuer", signer })

    expect(key.manufacturerId).toBe(victim.manufacturerId)
    expect(await thief.keys()).toHaveLength(keysBefore)
    const device = await makeDevice({ issuer: signer })
    const stolen = await inBatchOfClaim(device)
    await net.pass(1)
    expect(await net.verifier().checkCertificate(device.der, { receipt: stolen })).toMatchObject({
      status: "unknown",
      reason: "issuerUnknown",
    })
  })

  it("is nobody's when two prove that they hold it", async () => {
    const signer = await generateSigner(kind)
    await victim.addKey({ purpose: "issuer", signer })
    await expect(thief.addKey({ purpose: "issuer", signer })).rejects.toMatchObject({ name: "KeyTakenError" })
    const device = await makeDevice({ issuer: signer })
    const receipt = await inBatch(victim, signer, device)
    await net.pass(1)
    expect(await net.verifier().checkCertificate(device.der, { receipt })).toMatchObject({ status: "good" })

    await claim(thief, 2, signer, await signer.sign(statement(thief, signer)))
    await net.pass(1)

    const verifier = net.verifier()
    await expect(verifier.checkCertificate(device.der, { receipt })).rejects.toThrow(KeyOwnerAmbiguousError)
    await expect(verifier.checkCertificate(device.der)).rejects.toThrow(KeyOwnerAmbiguousError)
    await expect(verifier.checkCertificate(device.der, { issuerKeyId: signer.keyId })).rejects.toThrow(
      KeyOwnerAmbiguousError,
    )
    // Its owner can still say that it is lost.
    const index = (await victim.keys()).find(({ keyId }) => keyId === signer.keyId)?.index ?? 0
    expect(await victim.revokeKey(index)).not.toBeNull()
  })
})

/** A batch that names the key which the thief claimed last. */
async function inBatchOfClaim(device: Device): Promise<Receipt> {
  series += 1
  const tree = makeTree(net.deployment, thief.manufacturerId, series, [device.certificate.credentialHash])
  const keyIndex = (await thief.manufacturer()).keyCount
  const to = net.deployment.contracts.devices.address
  const input = { series, size: 1, keyIndex, notAfter: FAR, root: tree.root }
  const args = [thief.manufacturerId, input] as const
  await net.writer(2).write({ to, abi: deviceRegistryAbi, functionName: "registerBatch", args })
  return tree.receipt(0)
}
