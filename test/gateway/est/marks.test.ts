import { DatabaseSync } from "node:sqlite"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { AsnConvert } from "@peculiar/asn1-schema"
import { BasicOCSPResponse, OCSPResponse } from "@peculiar/asn1-ocsp"
import { toHex } from "../../../client/index.ts"
import type { Certificate, KeySigner } from "../../../client/index.ts"
import { CrlBook } from "../../../gateway/crl/index.ts"
import { readCrl } from "../../../gateway/crl/crlReader.ts"
import { makeToken } from "../../../gateway/est/index.ts"
import { openIssuer } from "../../../gateway/issuers/issuer.ts"
import type { Issuer } from "../../../gateway/issuers/issuer.ts"
import { LocatedMarks } from "../../../gateway/issuers/locatedMarks.ts"
import { OcspAnswerer } from "../../../gateway/ocsp/index.ts"
import { encodeCertId, encodeOcspRequest } from "../../../gateway/ocsp/codec.ts"
import { issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { openSqliteEnrolmentStore } from "../../../gateway/store/enrolmentSqlite.ts"
import { certificateIn, deviceCsr, EstBed } from "./estBed.ts"

let bed: EstBed
let marks: LocatedMarks
let book: CrlBook
let issuer: Issuer
let answerer: OcspAnswerer

beforeAll(async () => {
  bed = await EstBed.start()
  issuer = await openIssuer({ certificate: bed.ca.certificate.der, signer: bed.ca.signer })
  marks = new LocatedMarks({
    source: bed.replica,
    finder: { placesOf: () => [] },
    manufacturers: () => [bed.manufacturerId],
    ask: (subject) => bed.store.placesOf(subject),
  })
  const context = { replica: marks, issuers: [issuer], now: () => bed.net.clock, publicUrl: "http://gateway.example" }
  book = new CrlBook(context)
  answerer = new OcspAnswerer(context)
})
afterAll(async () => {
  book.close()
  marks.close()
  await bed.close()
})

type Device = { readonly certificate: Certificate; readonly signer: KeySigner }

async function enrolled(name: string): Promise<Device> {
  const { csr, signer } = await deviceCsr(name)
  const { text: token } = await makeToken(bed.store, { now: () => bed.net.clock })
  const certificate = certificateIn(await bed.enrol("simpleenroll", csr, { token }))
  await bed.catchUp()
  return { certificate, signer }
}

async function byOcsp({ serial }: Certificate): Promise<string> {
  const certId = encodeCertId({ hash: "sha256", ...issuerHashes(issuer, "sha256"), serial })
  const { der } = await answerer.answer(encodeOcspRequest([certId]))
  const { response } = AsnConvert.parse(der, OCSPResponse).responseBytes!
  const [single] = AsnConvert.parse(response.buffer, BasicOCSPResponse).tbsResponseData.responses
  const { good, revoked } = single!.certStatus
  return good === null ? "good" : revoked === undefined ? "unknown" : `revoked ${revoked.revocationReason?.reason}`
}

async function byCrl({ serial }: Certificate): Promise<string> {
  const { der } = await book.complete(issuer.keyId)
  const entry = [...readCrl(der).entries()].find((one) => toHex(one.serial) === toHex(serial))
  return entry === undefined ? "good" : `revoked ${entry.reason}`
}

/** What the doors say that see serial numbers, and whether EST renews it. */
async function doors(certificate: Certificate, name: string): Promise<unknown[]> {
  const { csr } = await deviceCsr(name)
  const { status } = await bed.enrol("simplereenroll", csr, { certificate: certificate.der })
  return [await byOcsp(certificate), await byCrl(certificate), status]
}

it("a credential that is revoked by its hash alone is revoked at every door", async () => {
  const { certificate } = await enrolled("by hash")
  expect(await doors(certificate, "by hash")).toEqual(["good", "good", 200])
  await bed.maker.revoke([{ subject: certificate.credentialHash }], { reason: 5 })
  await bed.catchUp()
  await marks.askOwed()
  expect(await doors(certificate, "by hash")).toEqual(["revoked 5", "revoked 5", 403])
})

it("a key that is revoked by itself takes all of its certificates with it, and no others", async () => {
  const { certificate, signer } = await enrolled("by key")
  const other = await enrolled("another")
  const { csr } = await deviceCsr("by key", signer)
  const renewed = certificateIn(await bed.enrol("simplereenroll", csr, { certificate: certificate.der }))
  expect(renewed.keyId).toBe(certificate.keyId)
  await bed.catchUp()
  expect([await byOcsp(certificate), await byOcsp(renewed)]).toEqual(["good", "good"])

  await bed.maker.hold([{ subject: signer.keyId }])
  await bed.catchUp()
  await marks.askOwed()
  expect(await doors(renewed, "by key")).toEqual(["revoked 6", "revoked 6", 403])
  await bed.maker.unhold([{ subject: signer.keyId }])
  await bed.catchUp()
  expect([await byOcsp(certificate), await byCrl(renewed)]).toEqual(["good", "good"])

  await bed.maker.revoke([{ subject: signer.keyId }], { reason: 1 })
  await bed.catchUp()
  for (const one of [certificate, renewed]) {
    expect(await doors(one, "by key")).toEqual(["revoked 1", "revoked 1", 403])
  }
  expect(await doors(other.certificate, "another")).toEqual(["good", "good", 200])
})

it("the store finds the keys of certificates that were written before it noted them", async () => {
  const { certificate, signer } = await enrolled("older")
  const places = await bed.store.placesOf(signer.keyId)
  expect(places).toEqual(await bed.store.placesOf(certificate.credentialHash))
  expect(places).toHaveLength(1)
  const path = join(bed.folder, "enrolments.sqlite")
  const file = new DatabaseSync(path)
  file.exec("DELETE FROM est_device_key; DELETE FROM est_meta WHERE name = 'deviceKeys'")
  file.close()
  expect(await bed.store.placesOf(signer.keyId)).toEqual([])
  const again = await openSqliteEnrolmentStore(path, { deployment: bed.net.deployment })
  expect(await again.placesOf(signer.keyId)).toEqual(places)
  await again.close()
})
