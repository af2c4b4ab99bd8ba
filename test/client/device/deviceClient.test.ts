import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { signSign1 } from "../../../client/cose/sign1.ts"
import {
  decodeRawPublicKey,
  DeviceClient,
  generateP256Key,
  parseCsr,
  verifyCsr,
  defaultCrypto,
} from "../../../client/index.ts"
import type { KeySigner, ManufacturerClient, Receipt } from "../../../client/index.ts"
import { makeDevice, makeTree } from "../../helpers/fleet.ts"
import { freshLedger } from "../../helpers/ledger.ts"
import type { TestLedger } from "../../helpers/ledger.ts"
import { generateSigner } from "../../helpers/signers.ts"

const FAR = 4_000_000_000

let net: TestLedger
let maker: ManufacturerClient
let issuer: KeySigner
let open: KeySigner

beforeAll(async () => {
  net = await freshLedger()
  maker = await net.admit("Acme Works")
  issuer = await generateP256Key()
  open = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  await maker.addKey({ purpose: "openIssuer", signer: open })
  await net.pass(5)
})
afterAll(() => net.close())

/** Whoever pays for what devices do: nobody's account. */
const stranger = () => ({ ledger: net.ledger, writer: net.writer(3) })

let series = 0x8000_0000

type RawDevice = { client: DeviceClient; object: Uint8Array; receipt: Receipt }

/** Devices without X.509, in a batch that their maker's key vouches for. */
async function rawFleet(count: number, validity: { notBefore?: number; notAfter?: number } = {}): Promise<RawDevice[]> {
  const { notBefore = 0, notAfter = FAR } = validity
  const made = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const client = await DeviceClient.generate()
      const deviceId = new Uint8Array(16).fill(i)
      return { client, object: await client.rawPublicKey({ notBefore, notAfter, deviceId }) }
    }),
  )
  series += 1
  const hashes = made.map(({ object }) => decodeRawPublicKey(object).credentialHash)
  const tree = makeTree(net.deployment, maker.manufacturerId, series, hashes)
  const batch = { root: tree.root, size: count, notAfter, series, issuer, issuerKeyId: issuer.keyId }
  await maker.registerBatch({ ...batch, kind: "rawPublicKey" })
  await net.pass(1)
  return made.map((device, i) => ({ ...device, receipt: tree.receipt(i) }))
}

const statusOf = async ({ object, receipt }: RawDevice): Promise<string> => {
  const { status, reason } = await net.verifier().checkRawPublicKey(object, { receipt })
  return reason === null ? status : `${status}: ${reason}`
}

describe("A raw public key", () => {
  it("is good by its receipt and unknown without", async () => {
    const [device] = (await rawFleet(3)) as [RawDevice]

    const verdict = await net.verifier().checkRawPublicKey(device.object, { receipt: device.receipt })
    expect(verdict).toMatchObject({ status: "good", fingerprint: null, batch: { series, index: 0, size: 3 } })
    expect(verdict.deviceKeyId).toBe(device.client.signer.keyId)
    expect(await net.verifier().checkRawPublicKey(device.object)).toMatchObject({
      status: "unknown",
      reason: "notAnchored",
    })
  })

  it("counts from its first to its last second", async () => {
    const now = await net.now()
    const [late] = (await rawFleet(1, { notBefore: now + 5_000, notAfter: now + 9_000 })) as [RawDevice]

    expect(await statusOf(late)).toBe("notYetValid: certificateNotStarted")
    await net.pass(6_000)
    expect(await statusOf(late)).toBe("good")
    await net.pass(4_000)
    expect(await statusOf(late)).toBe("expired: certificateEnded")
  })

  it("gives itself up, paid by anybody, once", async () => {
    const [lost, other] = (await rawFleet(2)) as [RawDevice, RawDevice]
    const options = { ...stranger(), receipt: lost.receipt, reason: 1 }

    expect(await lost.client.revokeSelf(lost.object, options)).not.toBeNull()
    expect(await lost.client.revokeSelf(lost.object, options)).toBeNull()
    await net.pass(1)

    expect(await statusOf(lost)).toBe("revoked: keyCompromise")
    expect(await statusOf(other)).toBe("good")
  })

  it("cannot be given up by another device, nor with another's receipt", async () => {
    const [victim, thief] = (await rawFleet(2)) as [RawDevice, RawDevice]
    const options = (receipt: Receipt) => ({ ...stranger(), receipt, reason: 1 })

    await expect(thief.client.revokeSelf(victim.object, options(victim.receipt))).rejects.toMatchObject({
      errorName: "SignatureInvalid",
    })
    await expect(victim.client.revokeSelf(victim.object, options(thief.receipt))).rejects.toMatchObject({
      errorName: "CredentialUnproven",
    })
    expect(await statusOf(victim)).toBe("good")
  })

  it("refuses reasons, receipts and objects that are none, before anything is signed", async () => {
    const [device] = (await rawFleet(1)) as [RawDevice]
    const give = (object: Uint8Array, receipt: Receipt, reason: number) =>
      device.client.revokeSelf(object, { ...stranger(), receipt, reason })

    for (const reason of [6, 7, 8, 11, -1, 1.5, Number.NaN]) {
      await expect(give(device.object, device.receipt, reason)).rejects.toMatchObject({ name: "NumberOutOfRangeError" })
    }
    await expect(give(device.object, { ...device.receipt, series: 0 }, 1)).rejects.toMatchObject({
      name: "PlaceFieldError",
    })
    await expect(give(Uint8Array.of(1, 2), device.receipt, 1)).rejects.toMatchObject({ code: expect.any(String) })
  })

  it("dies with its key, and only with its own signature lives", async () => {
    const [device, forged] = (await rawFleet(2)) as [RawDevice, RawDevice]
    await maker.revoke([{ subject: device.client.signer.keyId }], { reason: 1 })
    await net.pass(1)
    expect(await statusOf(device)).toBe("revoked: keyCompromise")

    // The same payload, signed by somebody else: the hash is anchored, the holder is not shown.
    const { payload } = decodeRawPublicKey(forged.object)
    const other = await generateP256Key()
    const resigned = await signSign1({ payload, signer: other })
    const answer = await net.verifier().checkRawPublicKey(resigned, { receipt: forged.receipt })
    expect(answer).toMatchObject({ status: "unknown", reason: "signatureInvalid" })
  })

  it("is no certificate, and a certificate no raw public key", async () => {
    const [device] = (await rawFleet(1)) as [RawDevice]
    const { der } = await makeDevice({ issuer })

    await expect(net.verifier().checkCertificate(device.object)).rejects.toMatchObject({ code: expect.any(String) })
    await expect(net.verifier().checkRawPublicKey(der)).rejects.toMatchObject({ code: expect.any(String) })
  })
})

describe("DeviceClient.registerIssued", () => {
  it("asks for a certificate with its own key", async () => {
    const client = await DeviceClient.generate()
    const csr = parseCsr(await client.csr({ commonName: "device 7" }))

    expect(csr.keyId).toBe(client.signer.keyId)
    expect(await verifyCsr(csr, defaultCrypto())).toBe(true)
  })

  it("names what it misses: an open issuer on the ledger that signed the certificate", async () => {
    const unknown = await generateP256Key()
    const claimed = await generateSigner("p384")
    await maker.addKey({ purpose: "openIssuer", signer: claimed })
    for (const signer of [unknown, issuer, claimed]) {
      const device = await makeDevice({ issuer: signer })
      await expect(new DeviceClient(device).registerIssued(device.der, stranger())).rejects.toMatchObject({
        name: "KeyMissingError",
      })
    }
    // One that names the open issuer's key, which did not sign it.
    const device = await makeDevice({ issuer: open })
    const changed = device.der.slice()
    changed.set([(changed.at(-1) ?? 0) ^ 1], changed.length - 1)
    await expect(new DeviceClient(device).registerIssued(changed, stranger())).rejects.toMatchObject({
      name: "KeyMissingError",
    })
  })

  it("finds the issuer of a certificate that does not name it, if it is told", async () => {
    const device = await makeDevice({ issuer: open })
    const client = new DeviceClient(device)

    expect(await client.registerIssued(device.der, { ...stranger(), issuerKeyId: open.keyId })).not.toBeNull()
    expect(await client.registerIssued(device.der, stranger())).toBeNull()
    await expect(client.registerIssued(device.der, { ...stranger(), issuerKeyId: "0x1" })).rejects.toMatchObject({
      name: "HashInvalidError",
    })
  })

  it("says so when the credential was registered under another key, where it can never be good", async () => {
    const second = await generateP256Key()
    const { key } = await maker.addKey({ purpose: "openIssuer", signer: second })
    const device = await makeDevice({ issuer: open })
    await maker.registerCredentials(key.index, [{ credentialHash: device.certificate.credentialHash }])

    await expect(new DeviceClient(device).registerIssued(device.der, stranger())).rejects.toMatchObject({
      name: "CredentialTakenError",
    })
    expect(await net.verifier().checkCertificate(device.der)).toMatchObject({
      status: "unknown",
      reason: "notAnchored",
    })
  })

  it("is refused for a revoked credential", async () => {
    const device = await makeDevice({ issuer: open })
    await maker.revoke([{ subject: device.certificate.credentialHash }], { reason: 1 })

    await expect(new DeviceClient(device).registerIssued(device.der, stranger())).rejects.toMatchObject({
      errorName: "SubjectAlreadyMarked",
    })
  })
})
