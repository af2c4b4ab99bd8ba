import { generateKeyPairSync } from "node:crypto"
import { DeviceClient, generateP256Key, signerFromPkcs8, Verifier } from "../../../../client/index.ts"
import type { CheckOptions, Hex, Interest, Ledger, Verdict } from "../../../../client/index.ts"
import { makeDevice, makeTree, nowSeconds, positionSerial } from "../../../helpers/fleet.ts"
import type { Device } from "../../../helpers/fleet.ts"
import { payer } from "../../../helpers/ledger.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"

/** A certificate, and what the ledger says of it. */
export type Case = {
  readonly name: string
  readonly der: Uint8Array
  readonly options: CheckOptions
  readonly interest: Interest
  readonly status: Verdict["status"]
  readonly reason: Verdict["reason"]
}

const YEAR = 365 * 86_400
const BATCH_SIZE = 8

/** A fleet in every state that a verdict knows, on this ledger. Texts are of all lengths, keys of two kinds. */
export async function populate(net: TestLedger): Promise<Case[]> {
  const maker = await net.admit("Acme Works")
  const other = await net.governance().admit({
    controller: payer(2).address,
    name: "A manufacturer whose name is longer than one word",
    metadataURI: `https://example.org/${"m".repeat(100)}`,
  })
  if (other.state !== "admitted") throw new Error("the test chain has no delay")
  const longer = net.manufacturer(other.manufacturerId, 2)
  const [issuer, open, late] = await Promise.all([generateP256Key(), generateP256Key(), generateP256Key()])
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" })
  const p384 = await signerFromPkcs8(new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" })))
  await maker.addKey({ purpose: "issuer", signer: issuer })
  const { key: openKey } = await maker.addKey({ purpose: "openIssuer", signer: open })
  const { key: lateKey } = await maker.addKey({ purpose: "issuer", signer: late })
  const { key: p384Key } = await longer.addKey({ purpose: "openIssuer", signer: p384 })
  const { deployment } = net
  const { manufacturerId } = maker
  const notAfter = nowSeconds() + 20 * YEAR

  const batchOf = async (series: number, signer: typeof issuer): Promise<(Device & { options: CheckOptions })[]> => {
    const devices = await Promise.all(Array.from({ length: BATCH_SIZE }, () => makeDevice({ issuer: signer })))
    const hashes = devices.map(({ certificate }) => certificate.credentialHash)
    const tree = makeTree(deployment, manufacturerId, series, hashes)
    await maker.registerBatch({ root: tree.root, size: tree.size, notAfter, issuerKeyId: signer.keyId, series })
    return devices.map((device, i) => ({ ...device, options: { receipt: tree.receipt(i) } }))
  }
  const fleet = await batchOf(1, issuer)
  const recalled = await batchOf(2, issuer)
  const second = await batchOf(3, late)
  const series = 0x8000_0001
  const place = { manufacturerId, series, index: 0 }
  const positioned = await makeDevice({ issuer, serial: positionSerial(deployment, issuer.keyId, place) })
  const lone = makeTree(deployment, manufacturerId, series, [positioned.certificate.credentialHash])
  await maker.registerBatch({ root: lone.root, size: 1, notAfter, issuerKeyId: issuer.keyId, series, issuer })

  const own = await makeDevice({ issuer: open })
  await new DeviceClient(own).registerIssued(own.der, { ledger: net.ledger, writer: net.writer(3) })
  const unregistered = await makeDevice({ issuer: open })
  const strong = await makeDevice({ issuer: p384 })
  await longer.registerCredentials(p384Key.index, [{ credentialHash: strong.certificate.credentialHash }])
  const stranger = await makeDevice({ issuer: await generateP256Key() })
  await net.pass(10)

  const at = (i: number): (typeof fleet)[number] => fleet[i] as (typeof fleet)[number]
  await maker.revoke([{ subject: at(1).certificate.credentialHash, series: 1, index: 1 }], { reason: 1 })
  await maker.revoke([{ subject: at(2).certificate.keyId }], { reason: 1 })
  await maker.hold([{ subject: at(3).certificate.credentialHash }])
  await maker.revokePlaces(1, [4], 4)
  await maker.revokeBatch(2, 5)
  await net.pass(10)

  const cases: Case[] = []
  const add = (
    name: string,
    device: Device & { options?: CheckOptions },
    status: Case["status"],
    reason: Case["reason"],
    interest: Partial<Interest> = {},
  ): void => {
    const { certificate, der, options = {} } = device
    const subjects: Hex[] = [certificate.credentialHash, certificate.keyId]
    cases.push({ name, der, options, status, reason, interest: { manufacturerId, subjects, ...interest } })
  }
  const inBatch = (of: number, index: number): Partial<Interest> => ({ place: { series: of, index } })
  add("a good one in a batch", at(0), "good", null, inBatch(1, 0))
  add("a revoked certificate", at(1), "revoked", "keyCompromise", inBatch(1, 1))
  add("a revoked device key", at(2), "revoked", "keyCompromise", inBatch(1, 2))
  add("a held certificate", at(3), "onHold", "certificateHold", inBatch(1, 3))
  add("a revoked place", at(4), "revoked", "superseded", inBatch(1, 4))
  add("one in a revoked batch", recalled[0] as Device, "revoked", "cessationOfOperation", inBatch(2, 0))
  add("one of the second issuer key", second[5] as Device, "good", null, inBatch(3, 5))
  add("one without its receipt", { ...at(5), options: {} }, "unknown", "notAnchored")
  add("one with another's receipt", { ...at(5), options: at(6).options }, "unknown", "receiptWrong", inBatch(1, 6))
  const receipt = lone.receipt(0)
  add("one with its place in the serial", { ...positioned, options: { receipt } }, "good", null, inBatch(series, 0))
  add("one that registered itself", own, "good", null, { keyIndex: openKey.index })
  add("one that did not", unregistered, "unknown", "notAnchored")
  add("one of a P-384 key", strong, "good", null, { manufacturerId: longer.manufacturerId })
  add("one by nobody known", stranger, "unknown", "issuerUnknown")
  if (lateKey.index !== 3) throw new Error("the second issuer key has another index than the tests think")
  return cases
}

/** A verdict without what may differ between ways of reading. */
export async function verdictOf(net: TestLedger, ledger: Ledger, { der, options }: Case): Promise<object> {
  const verifier = new Verifier({ ledger, now: () => net.clock })
  const { evidence: _evidence, ...verdict } = await verifier.checkCertificate(der, options)
  return verdict
}
