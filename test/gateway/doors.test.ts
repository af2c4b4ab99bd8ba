import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { AsnConvert } from "@peculiar/asn1-schema"
import { BasicOCSPResponse, OCSPResponse } from "@peculiar/asn1-ocsp"
import { toHex, Verifier } from "../../client/index.ts"
import { CrlBook } from "../../gateway/crl/index.ts"
import { readCrl } from "../../gateway/crl/crlReader.ts"
import { OcspAnswerer } from "../../gateway/ocsp/index.ts"
import { encodeCertId, encodeOcspRequest } from "../../gateway/ocsp/codec.ts"
import { issuerHashes } from "../../gateway/ocsp/responderBook.ts"
import { LiveFactory } from "./liveFactory.ts"

const NAMES = ["good", "bit", "subject", "key", "held", "released"]
let factory: LiveFactory
let verifier: Verifier
let answerer: OcspAnswerer
let book: CrlBook

beforeAll(async () => {
  factory = await LiveFactory.make(NAMES)
  const { replica, net, issuer } = factory
  const now = (): Date => net.clock
  verifier = new Verifier({ ledger: replica, now })
  const context = { replica, issuers: [issuer], now, publicUrl: "http://gateway.example" }
  answerer = new OcspAnswerer(context)
  book = new CrlBook(context)
})

afterAll(async () => {
  book?.close()
  await factory?.close()
})

type Said = [status: string, reason: string | number | null, since: number | null]
const REASONS = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
]
const HOLD = 6

function word(reason: number): string {
  return reason === HOLD ? "certificateHold" : (REASONS[reason] ?? String(reason))
}

/** By the certificate and its receipt. */
async function byVerifier(index: number): Promise<Said> {
  const { certificate, receipt } = factory.devices[index]!
  const { status, reason, since } = await verifier.checkCertificate(certificate.der, { receipt })
  if (status === "good") return ["good", null, null]
  const shown = status === "onHold" ? "certificateHold" : reason
  return [status === "onHold" ? "revoked" : status, shown, since === null ? null : since.getTime() / 1000]
}

/** By the serial number, as OCSP answers. */
async function byOcsp(index: number): Promise<Said> {
  const { serial } = factory.devices[index]!.certificate
  const certId = encodeCertId({ hash: "sha256", ...issuerHashes(factory.issuer, "sha256"), serial })
  const { der } = await answerer.answer(encodeOcspRequest([certId]))
  const { response } = AsnConvert.parse(der, OCSPResponse).responseBytes!
  const [single] = AsnConvert.parse(response.buffer, BasicOCSPResponse).tbsResponseData.responses
  const { good, revoked } = single!.certStatus
  if (good === null) return ["good", null, null]
  if (revoked === undefined) return ["unknown", null, null]
  return ["revoked", word(revoked.revocationReason?.reason ?? 0), revoked.revocationTime.getTime() / 1000]
}

/** By the serial number, as the CRL lists. */
async function byCrl(index: number): Promise<Said> {
  const serial = toHex(factory.devices[index]!.certificate.serial)
  const { der } = await book.complete(factory.issuer.keyId)
  const entry = [...readCrl(der).entries()].find((entry) => toHex(entry.serial) === serial)
  return entry === undefined ? ["good", null, null] : ["revoked", word(entry.reason), entry.revokedAt]
}

/** What all three doors say of every device, which must be the same. */
async function allDoors(): Promise<string[]> {
  await factory.net.pass(1)
  await factory.replica.sync()
  const said: string[] = []
  for (const index of NAMES.keys()) {
    const verdict = await byVerifier(index)
    expect(await byOcsp(index), `OCSP of ${NAMES[index]}`).toEqual(verdict)
    expect(await byCrl(index), `CRL of ${NAMES[index]}`).toEqual(verdict)
    said.push(verdict[0] === "good" ? "good" : String(verdict[1]))
  }
  return said
}

describe("the verifier, OCSP and the CRL", () => {
  it("say the same of every device, whatever happens on the ledger", async () => {
    const { maker, devices, series, net } = factory
    const placed = (index: number, subject: "credentialHash" | "keyId") => {
      return { subject: devices[index]!.certificate[subject], series, index }
    }
    expect(await allDoors()).toEqual(["good", "good", "good", "good", "good", "good"])

    await maker.revokePlaces(series, [1], 4)
    await maker.revoke([placed(2, "credentialHash")], { reason: 5 })
    await maker.revoke([placed(3, "keyId")], { reason: 1 })
    await maker.hold([placed(4, "credentialHash"), placed(5, "credentialHash")])
    const marked = ["superseded", "cessationOfOperation", "keyCompromise", "certificateHold"]
    expect(await allDoors()).toEqual(["good", ...marked, "certificateHold"])

    await maker.unhold([placed(5, "credentialHash")])
    expect(await allDoors()).toEqual(["good", ...marked, "good"])

    await maker.holdBatch(series)
    expect(await allDoors()).toEqual(["certificateHold", ...marked, "certificateHold"])
    await maker.unholdBatch(series)
    expect(await allDoors()).toEqual(["good", ...marked, "good"])

    await net.governance().suspend(maker.manufacturerId)
    expect(await allDoors()).toEqual(["certificateHold", ...marked, "certificateHold"])
    await net.governance().resume(maker.manufacturerId)
    expect(await allDoors()).toEqual(["good", ...marked, "good"])

    await maker.revokeBatch(series, 3)
    const ended = await allDoors()
    expect(ended[0]).toBe("affiliationChanged")
    expect(ended.includes("good")).toBe(false)
  })
})
