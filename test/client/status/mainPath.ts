import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { DeviceClient, encodePem, generateP256Key } from "../../../client/index.ts"
import type { KeySigner, ManufacturerClient, Receipt, Verifier } from "../../../client/index.ts"
import { makeDevice, makeTree, nowSeconds, positionSerial } from "../../helpers/fleet.ts"
import type { Device } from "../../helpers/fleet.ts"
import type { TestLedger } from "../../helpers/ledger.ts"

const KEY_COMPROMISE = 1
const FAR = nowSeconds() + 20 * 365 * 86_400

/**
 * The main path of a fleet, told on whatever ledger `open` gives.
 *
 * @param evidence What kind of evidence the ledger's own part is.
 */
export function tellMainPath(
  title: string,
  openLedger: () => Promise<TestLedger>,
  evidence: "singleNode" | "replica" = "singleNode",
): void {
  describe(title, () => {
    let net: TestLedger
    let maker: ManufacturerClient
    let issuer: KeySigner
    let open: KeySigner
    let verifier: Verifier
    let devices: Device[]
    let receipts: Receipt[]

    beforeAll(async () => {
      net = await openLedger()
      maker = await net.admit("Acme Works")
      issuer = await generateP256Key()
      open = await generateP256Key()
      await maker.addKey({ purpose: "issuer", signer: issuer })
      await maker.addKey({ purpose: "openIssuer", signer: open })
      devices = await Promise.all(Array.from({ length: 8 }, () => makeDevice({ issuer })))
      const tree = makeTree(
        net.deployment,
        maker.manufacturerId,
        1,
        devices.map((device) => device.certificate.credentialHash),
      )
      receipts = devices.map((_, i) => tree.receipt(i))
      await net.pass(10)
      await maker.registerBatch({
        root: tree.root,
        size: tree.size,
        notAfter: FAR,
        issuerKeyId: issuer.keyId,
        series: 1,
      })
      await net.pass(10)
      verifier = net.verifier()
    })
    afterAll(() => net.close())

    const device = (i: number) => devices[i] as Device
    const receipt = (i: number) => receipts[i] as Receipt

    it("calls an anchored certificate good, by receipt, as PEM and as DER", async () => {
      const byDer = await verifier.checkCertificate(device(0).der, { receipt: receipt(0) })
      const byPem = await verifier.checkCertificate(encodePem("CERTIFICATE", device(0).der), { receipt: receipt(0) })

      expect(byDer).toMatchObject({
        status: "good",
        reason: null,
        manufacturer: { id: 1, name: "Acme Works" },
        batch: { series: 1, index: 0, size: 8 },
      })
      expect(byDer.evidence.map(({ kind }) => kind)).toEqual(expect.arrayContaining([evidence, "receipt"]))
      expect(byPem).toEqual(byDer)
    })

    it("does not call it good without a receipt", async () => {
      expect(await verifier.checkCertificate(device(0).der)).toMatchObject({ status: "unknown", reason: "notAnchored" })
    })

    it("refuses another device's receipt, and one for another chain, by name", async () => {
      const foreign = { ...receipt(0), chainId: 1n }

      expect(await verifier.checkCertificate(device(0).der, { receipt: receipt(1) })).toMatchObject({
        reason: "receiptWrong",
      })
      expect(await verifier.checkCertificate(device(0).der, { receipt: foreign })).toMatchObject({
        reason: "receiptForeign",
      })
    })

    it("sees a revocation, a hold and its end at once", async () => {
      const [first, second] = [device(1).certificate.credentialHash, device(2).certificate.credentialHash]
      await maker.revoke([{ subject: first, series: 1, index: 1 }], { reason: KEY_COMPROMISE })
      await maker.hold([{ subject: second }])
      await net.pass(1)
      expect(await verifier.checkCertificate(device(1).der, { receipt: receipt(1) })).toMatchObject({
        status: "revoked",
        reason: "keyCompromise",
      })
      expect(await verifier.checkCertificate(device(2).der, { receipt: receipt(2) })).toMatchObject({
        status: "onHold",
      })

      await maker.unhold([{ subject: second }])
      await net.pass(1)
      expect(await verifier.checkCertificate(device(2).der, { receipt: receipt(2) })).toMatchObject({ status: "good" })
    })

    it("sees a place revoked by its bit, with time and reason", async () => {
      await maker.revokePlaces(1, [3], 4)
      await net.pass(1)

      const verdict = await verifier.checkCertificate(device(3).der, { receipt: receipt(3) })

      expect(verdict).toMatchObject({ status: "revoked", reason: "superseded" })
      expect(verdict.since).toBeInstanceOf(Date)
    })

    it("sees a revoked device key, whatever certificate it is in", async () => {
      await maker.revoke([{ subject: device(4).certificate.keyId }], { reason: KEY_COMPROMISE })
      await net.pass(1)
      const renewed = await makeDevice({ issuer: open, signer: device(4).signer })
      await maker.registerCredentials(2, [{ credentialHash: renewed.certificate.credentialHash }])
      await net.pass(1)

      expect(await verifier.checkCertificate(device(4).der, { receipt: receipt(4) })).toMatchObject({
        status: "revoked",
      })
      expect(await verifier.checkCertificate(renewed.der)).toMatchObject({ status: "revoked", reason: "keyCompromise" })
    })

    it("finds a device that registered itself, by its issuer's identifier alone", async () => {
      const own = await makeDevice({ issuer: open })
      const client = new DeviceClient({ signer: own.signer })
      expect(await verifier.checkCertificate(own.der)).toMatchObject({ status: "unknown", reason: "notAnchored" })

      const first = await client.registerIssued(own.der, { ledger: net.ledger, writer: net.writer(3) })
      const again = await client.registerIssued(own.der, { ledger: net.ledger, writer: net.writer(3) })
      await net.pass(1)

      expect(first).not.toBeNull()
      expect(again).toBeNull()
      expect(await verifier.checkCertificate(own.der)).toMatchObject({ status: "good", batch: null })
    })

    it("holds a certificate to the place in its serial number", async () => {
      const series = 0x8000_0001
      const place = { manufacturerId: maker.manufacturerId, series, index: 0 }
      const positioned = await makeDevice({ issuer, serial: positionSerial(net.deployment, issuer.keyId, place) })
      const tree = makeTree(net.deployment, maker.manufacturerId, series, [positioned.certificate.credentialHash])
      await maker.registerBatch({ root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, series, issuer })
      await maker.registerBatch({ root: tree.root, size: 1, notAfter: FAR, issuerKeyId: issuer.keyId, series: 7 })
      await net.pass(1)
      const elsewhere = makeTree(net.deployment, maker.manufacturerId, 7, [positioned.certificate.credentialHash])

      expect(await verifier.checkCertificate(positioned.der, { receipt: tree.receipt(0) })).toMatchObject({
        status: "good",
      })
      expect(await verifier.checkCertificate(positioned.der, { receipt: elsewhere.receipt(0) })).toMatchObject({
        status: "unknown",
        reason: "positionElsewhere",
      })
      expect(await verifier.checkCertificate(positioned.der)).toMatchObject({
        status: "unknown",
        reason: "notAnchored",
      })
    })

    it("answers for past times", async () => {
      const target = device(5)
      const before = await net.syncClock()
      await net.pass(100)
      await maker.revoke([{ subject: target.certificate.credentialHash }], { reason: 5 })
      await net.pass(100)

      expect(await verifier.checkCertificate(target.der, { receipt: receipt(5), at: before })).toMatchObject({
        status: "good",
      })
      expect(await verifier.checkCertificate(target.der, { receipt: receipt(5) })).toMatchObject({ status: "revoked" })
    })

    it("has nothing good of a suspended manufacturer, and everything again when it is resumed", async () => {
      await net.governance().suspend(maker.manufacturerId)
      await net.pass(1)
      expect(await verifier.checkCertificate(device(0).der, { receipt: receipt(0) })).toMatchObject({
        status: "onHold",
        reason: "manufacturerSuspended",
      })

      await net.governance().resume(maker.manufacturerId)
      await net.pass(1)
      expect(await verifier.checkCertificate(device(0).der, { receipt: receipt(0) })).toMatchObject({ status: "good" })
    })

    it("spares what was anchored before a compromise and voids what came after", async () => {
      const stolen = await generateP256Key()
      const { key } = await maker.addKey({ purpose: "openIssuer", signer: stolen })
      const honest = await makeDevice({ issuer: stolen })
      await new DeviceClient(honest).registerIssued(honest.der, { ledger: net.ledger, writer: net.writer(3) })
      const theft = await net.pass(50)
      const forged = await makeDevice({ issuer: stolen })
      await new DeviceClient(forged).registerIssued(forged.der, { ledger: net.ledger, writer: net.writer(3) })
      await net.pass(50)
      await maker.declareCompromise(key.index, theft)
      await net.pass(1)

      expect(await verifier.checkCertificate(honest.der)).toMatchObject({ status: "good" })
      expect(await verifier.checkCertificate(forged.der)).toMatchObject({ status: "revoked", reason: "cACompromise" })
    })
  })
}
