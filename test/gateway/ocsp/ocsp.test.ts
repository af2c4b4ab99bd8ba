import { readFileSync } from "node:fs"
import { AsnConvert } from "@peculiar/asn1-schema"
import { BasicOCSPResponse, OCSPResponse } from "@peculiar/asn1-ocsp"
import { beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  defaultCrypto,
  DerReader,
  encodePem,
  equalBytes,
  generateP256Key,
  parseCertificate,
  StaleHeadError,
  toHex,
  verifyCertificateSignature,
} from "../../../client/index.ts"
import type { Certificate } from "../../../client/index.ts"
import * as revocationErrors from "../../../gateway/errors/revocation.ts"
import { openIssuer } from "../../../gateway/issuers/issuer.ts"
import { mintedResponder } from "../../../gateway/issuers/responder.ts"
import { OcspAnswerer } from "../../../gateway/ocsp/answer.ts"
import { encodeCertId, encodeOcspRequest, readOcspRequest } from "../../../gateway/ocsp/codec.ts"
import type { CertIdHash } from "../../../gateway/ocsp/codec.ts"
import { OCSP_FAILURE } from "../../../gateway/ocsp/failures.ts"
import { ocspRoutes, requestInPath } from "../../../gateway/ocsp/index.ts"
import { CERT_ID_HASHES, issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { FakeFactory, MAKER, MemorySerials, SERIES } from "../fakeFactory.ts"
import { findRoute } from "../serveRoutes.ts"

const NOW = 1_800_000_000
let factory: FakeFactory
let clock: number

beforeAll(() => {
  expect(CERT_ID_HASHES).toHaveLength(4)
})

beforeEach(async () => {
  factory = await FakeFactory.make(10, NOW)
  clock = NOW
})

function context(more: Partial<ConstructorParameters<typeof OcspAnswerer>[0]> = {}) {
  return { replica: factory.source, issuers: [factory.issuer], now: () => new Date(clock * 1000), ...more }
}

function certId(serial: Uint8Array, hash: CertIdHash = "sha1", of = factory): Uint8Array {
  return encodeCertId({ hash, ...issuerHashes(of.issuer, hash), serial })
}

function question(serial: Uint8Array, hash: CertIdHash = "sha1", nonce?: Uint8Array): Uint8Array {
  return encodeOcspRequest([certId(serial, hash)], nonce)
}

/** An answer as somebody else's reader sees it. */
function read(der: Uint8Array) {
  const response = AsnConvert.parse(der, OCSPResponse)
  const status: number = response.responseStatus
  if (response.responseBytes === undefined) return { status, answers: [] }
  const basic = AsnConvert.parse(response.responseBytes.response.buffer, BasicOCSPResponse)
  const data = basic.tbsResponseData
  const answers = data.responses.map(({ certStatus, thisUpdate, nextUpdate }) => ({
    status: certStatus.good === null ? "good" : certStatus.revoked === undefined ? "unknown" : "revoked",
    since: certStatus.revoked && seconds(certStatus.revoked.revocationTime),
    reason: certStatus.revoked?.revocationReason?.reason,
    thisUpdate: seconds(thisUpdate),
    nextUpdate: nextUpdate && seconds(nextUpdate),
  }))
  const nonce = data.responseExtensions?.find(({ extnID }) => extnID === "1.3.6.1.5.5.7.48.1.2")
  return {
    status,
    answers,
    first: answers[0],
    producedAt: seconds(data.producedAt),
    nonce: nonce && new Uint8Array(nonce.extnValue.buffer),
    certificate: parseCertificate(new Uint8Array(AsnConvert.serialize(basic.certs![0]!))),
    tbs: rawData(new Uint8Array(response.responseBytes.response.buffer)),
    signature: new Uint8Array(basic.signature),
  }
}

function seconds(date: Date): number {
  return date.getTime() / 1000
}

function rawData(basic: Uint8Array): Uint8Array {
  const fields = new DerReader(basic).enter(0x30, "BasicOCSPResponse")
  return fields.whole(fields.read(0x30, "ResponseData"))
}

describe("the OCSP responder", () => {
  it("says good of an anchored place, signed by a certificate for OCSP alone that need not be checked itself", async () => {
    const answerer = new OcspAnswerer(context())
    const answer = read((await answerer.answer(question(factory.serial(3)))).der)

    expect(answer.first).toEqual({
      status: "good",
      since: undefined,
      reason: undefined,
      thisUpdate: NOW - 2,
      nextUpdate: NOW + 60,
    })
    const responder = answer.certificate as Certificate
    expect(responder.extendedKeyUsage).toEqual(["1.3.6.1.5.5.7.3.9"])
    expect(responder.extensions.some(({ oid }) => oid === "1.3.6.1.5.5.7.48.1.5")).toBe(true)
    expect(responder.isCa).toBe(false)
    expect(await verifyCertificateSignature(responder, factory.issuer.certificate.spki, defaultCrypto())).toBe(true)
    const { spki } = responder
    const { tbs: message, signature } = answer
    expect(
      await defaultCrypto().verify({
        algorithm: "ecdsa-p256-sha256",
        spki,
        message: message!,
        signature: signature!,
      }),
    ).toBe(true)
  })

  it.each(CERT_ID_HASHES)("understands CertIDs by %s", async (hash) => {
    const answerer = new OcspAnswerer(context())
    expect(read((await answerer.answer(question(factory.serial(1), hash))).der).first?.status).toBe("good")
  })

  it("gives time and reason of a revocation, and certificateHold for a hold", async () => {
    factory.fleet.mark(MAKER, SERIES, 1, { since: NOW - 50, reason: 4 })
    factory.fleet.mark(MAKER, SERIES, 2, { since: NOW - 40, reason: 0 })
    factory.fleet.mark(MAKER, SERIES, 3, { since: NOW - 30, reason: 6, mark: "held", subject: "0xab" })
    const answerer = new OcspAnswerer(context())
    const request = encodeOcspRequest([1, 2, 3, 4].map((index) => certId(factory.serial(index))))
    const { answers } = read((await answerer.answer(request)).der)
    expect(answers.map(({ status, since, reason }) => [status, since, reason])).toEqual([
      ["revoked", NOW - 50, 4],
      ["revoked", NOW - 40, undefined],
      ["revoked", NOW - 30, 6],
      ["good", undefined, undefined],
    ])
  })

  it("says unknown of what is not anchored", async () => {
    const answerer = new OcspAnswerer(context())
    const twisted = factory.serial(3)
    twisted[19]! ^= 1
    const foreign = await FakeFactory.make(10, NOW)
    const serials = [
      Uint8Array.of(1),
      crypto.getRandomValues(new Uint8Array(20)).fill(0x12, 0, 1),
      factory.serial(10),
      factory.serial(1, SERIES + 1),
      twisted,
      foreign.serial(3),
    ]
    for (const serial of serials) {
      expect(read((await answerer.answer(question(serial))).der).first?.status).toBe("unknown")
    }
  })

  it("answers revoked for every serial of a compromised issuer key", async () => {
    factory.fleet.changeKey(factory.signer.keyId, { compromisedSince: NOW - 5 })
    const answerer = new OcspAnswerer(context())
    for (const serial of [factory.serial(3), factory.serial(99), Uint8Array.of(9, 9, 9)]) {
      const { first } = read((await answerer.answer(question(serial))).der)
      expect([first?.status, first?.since, first?.reason]).toEqual(["revoked", NOW - 5, 2])
    }
  })

  it("knows imported certificates by their serials, and their records", async () => {
    const serials = new MemorySerials()
    const answerer = new OcspAnswerer(context({ serials }))
    const serial = Uint8Array.of(0x11, 0x22, 0x33)
    const certificate = await factory.certificate(5, { serial })
    const ask = async () => read((await answerer.answer(question(serial))).der).first
    expect((await ask())?.status).toBe("unknown")
    await serials.put([factory.entryOf(certificate, { manufacturerId: MAKER, series: SERIES, index: 5 })])
    expect((await ask())?.status).toBe("good")
    factory.fleet.addRecord(MAKER, certificate.keyId, { mark: "revoked", changedAt: NOW - 20, reason: 1 })
    expect(await ask()).toMatchObject({ status: "revoked", since: NOW - 20, reason: 1 })
  })

  it("echoes a nonce of 1 to 128 octets and refuses others", async () => {
    const answerer = new OcspAnswerer(context())
    for (const octets of [1, 32, 128]) {
      const nonce = crypto.getRandomValues(new Uint8Array(octets))
      const answered = await answerer.answer(question(factory.serial(3), "sha1", nonce))
      const sent = read(answered.der).nonce!
      expect(equalBytes(sent.subarray(sent.length - octets), nonce)).toBe(true)
      expect(answered.shared).toBeUndefined()
    }
    for (const octets of [0, 129, 1000]) {
      const { der } = await answerer.answer(question(factory.serial(3), "sha1", new Uint8Array(octets)))
      expect(read(der).status).toBe(1)
    }
  })

  it("signs a repeated question once, until the ledger says otherwise", async () => {
    const told: string[] = []
    const answerer = new OcspAnswerer(context({ report: ({ outcome }) => told.push(outcome) }))
    const ask = async () => (await answerer.answer(question(factory.serial(3)))).der
    const together = await Promise.all([ask(), ask(), ask()])
    expect(new Set(together.map(toHex)).size).toBe(1)
    factory.fleet.mine()
    expect(toHex(await ask())).toBe(toHex(together[0]))
    expect(told).toEqual(["good", "cached", "cached", "cached"])

    factory.fleet.mark(MAKER, SERIES, 3)
    expect(read(await ask()).first?.status).toBe("revoked")
  })

  it("has a repeated answer at hand, and never one that the ledger, the clock or the replica has overtaken", async () => {
    const answerer = new OcspAnswerer(context({ maxAgeSeconds: 100 }))
    const request = question(factory.serial(3))
    const first = await answerer.answer(request)
    const atHand = () => {
      const answer = answerer.answer(request)
      if (answer instanceof Promise) throw new Error("it had to be waited for")
      return answer
    }
    expect(atHand().der).toBe(first.der)
    // Nor do memory that was used again and another question change it.
    request.fill(0)
    expect(read((await answerer.answer(request)).der).status).toBe(1)
    request.set(question(factory.serial(3)))
    expect(atHand().der).toBe(first.der)

    clock = NOW - 2 + 101
    expect(read(atHand().der).status).toBe(3)
    clock = NOW
    factory.source.fault = new StaleHeadError({ ageSeconds: 1, maxAgeSeconds: 1 })
    expect(read(atHand().der).status).toBe(3)
    factory.source.fault = undefined
    expect(atHand().der).toBe(first.der)
    factory.fleet.mine().mark(MAKER, SERIES, 3)
    expect(read((await answerer.answer(request)).der).first?.status).toBe("revoked")
    expect(read(atHand().der).first?.status).toBe("revoked")
  })

  it("keeps no answer to a nonce", async () => {
    const answerer = new OcspAnswerer(context())
    const request = question(factory.serial(3), "sha1", new Uint8Array(16).fill(7))
    const [one, other] = [await answerer.answer(request), await answerer.answer(request)]
    expect(toHex(one.der)).not.toBe(toHex(other.der))
    expect([one.shared, other.shared]).toEqual([undefined, undefined])
  })

  it("gives no answer again after its signer's certificate has ended", async () => {
    const end = NOW + 10
    const short = mintedResponder({ ...factory.issuer.certificate, notAfter: end }, factory.signer, 1_000)
    const answerer = new OcspAnswerer(context({ issuers: [{ ...factory.issuer, responder: short }] }))
    const request = question(factory.serial(3))
    const first = await answerer.answer(request)
    expect(read(first.der).first?.nextUpdate).toBe(end)
    clock = end
    expect((await answerer.answer(request)).der).toBe(first.der)
    clock = end + 1
    expect(read((await answerer.answer(request)).der).status).toBe(3)
  })

  it("signs anew when half an answer's life is over", async () => {
    const answerer = new OcspAnswerer(context())
    const first = read((await answerer.answer(question(factory.serial(3)))).der)
    clock += 30
    factory.fleet.mine(30)
    const second = read((await answerer.answer(question(factory.serial(3)))).der)
    expect(second.first?.nextUpdate).toBe(first.first!.nextUpdate! + 30)
    expect(second.first?.thisUpdate).toBe(NOW + 28)
  })

  it("keeps bad news that a reorganisation took away until the chain is final past it", async () => {
    const answerer = new OcspAnswerer(context())
    const ask = async () => read((await answerer.answer(question(factory.serial(3)))).der).first?.status
    factory.source.settledFleet = factory.fleet.copy()
    factory.fleet.mine().mark(MAKER, SERIES, 3)
    expect(await ask()).toBe("revoked")
    factory.fleet.unmark(MAKER, SERIES, 3)
    expect(await ask()).toBe("revoked")
    factory.source.settledFleet = factory.fleet.copy()
    factory.fleet.mine()
    expect(await ask()).toBe("good")
  })

  it("tries later when the head is old, the replica at fault or the clock wrong, whatever it said before", async () => {
    const answerer = new OcspAnswerer(context({ maxAgeSeconds: 100 }))
    const ask = async () => read((await answerer.answer(question(factory.serial(3)))).der)
    expect((await ask()).first?.status).toBe("good")
    clock = NOW - 2 + 101
    expect((await ask()).status).toBe(3)
    clock = NOW - 2 + 100
    expect((await ask()).first?.status).toBe("good")
    clock = NOW - 2 - 121
    expect((await ask()).status).toBe(3)
    clock = NOW
    factory.source.fault = new StaleHeadError({ ageSeconds: 1, maxAgeSeconds: 1 })
    expect((await ask()).status).toBe(3)
  })

  it("is not authorized for issuers that are not ours, nor for two at once", async () => {
    const other = await FakeFactory.make(10, NOW, "Other CA")
    const answerer = new OcspAnswerer(context())
    const both = new OcspAnswerer(context({ issuers: [factory.issuer, other.issuer] }))
    const foreign = encodeOcspRequest([certId(other.serial(1), "sha1", other)])
    expect(read((await answerer.answer(foreign)).der).status).toBe(6)
    expect(read((await both.answer(foreign)).der).status).toBe(0)
    const mixed = encodeOcspRequest([certId(factory.serial(1)), certId(other.serial(1), "sha1", other)])
    expect(read((await both.answer(mixed)).der).status).toBe(6)
  })

  it("signs nothing with an open issuer's key", async () => {
    factory.fleet.changeKey(factory.signer.keyId, { purpose: "openIssuer" })
    const answerer = new OcspAnswerer(context())
    expect(read((await answerer.answer(question(factory.serial(3)))).der).status).toBe(6)
  })

  it("calls everything else malformed, in no time", async () => {
    const answerer = new OcspAnswerer(context())
    const good = question(factory.serial(3))
    const many = encodeOcspRequest(Array.from({ length: 10_000 }, () => certId(factory.serial(3))))
    const nested = new Uint8Array(30_000).fill(0x30)
    const bad = [
      new Uint8Array(0),
      Uint8Array.of(0x30),
      good.slice(0, -1),
      Uint8Array.of(...good, 0),
      new TextEncoder().encode("GET / HTTP/1.1"),
      new Uint8Array(70_000),
      many,
      nested,
      encodeOcspRequest(Array.from({ length: 65 }, () => certId(factory.serial(3)))),
      encodeOcspRequest([]),
      encodeOcspRequest([certId(new Uint8Array(21).fill(1))]),
      factory.issuer.certificate.der,
    ]
    const start = performance.now()
    for (const bytes of bad) expect(read((await answerer.answer(bytes)).der).status).toBe(1)
    expect(performance.now() - start).toBeLessThan(5_000)
    const most = encodeOcspRequest(Array.from({ length: 64 }, (_, i) => certId(factory.serial(i % 10))))
    expect(read((await answerer.answer(most)).der).answers).toHaveLength(64)
  })

  it("renews its own certificate before it ends", async () => {
    const responder = mintedResponder(factory.issuer.certificate, factory.signer, 1_000)
    const first = await responder.at(NOW)
    expect(await responder.at(NOW + 499)).toBe(first)
    const second = await responder.at(NOW + 500)
    expect(second.certificate.notAfter).toBe(first.certificate.notAfter + 500)
    expect(second.signer.keyId).not.toBe(first.signer.keyId)
  })
})

describe("openIssuer", () => {
  it("refuses what does not belong together", async () => {
    const certificate = factory.issuer.certificate.der
    const stranger = await generateP256Key()
    await expect(openIssuer({ certificate, signer: stranger })).rejects.toMatchObject({ code: "ISSUER_UNFIT" })
    await expect(openIssuer({ certificate })).rejects.toMatchObject({ code: "ISSUER_UNFIT" })
    const old = new Date((NOW + 20 * 365 * 86_400) * 1000)
    await expect(openIssuer({ certificate, signer: factory.signer, now: () => old })).rejects.toMatchObject({
      code: "ISSUER_UNFIT",
    })
  })

  it("takes a responder's certificate only if the issuer made it, for OCSP, for that key, and it is valid", async () => {
    const signer = await generateP256Key()
    const issuer = factory.issuer.certificate.der
    const open = (certificate: Uint8Array, seconds = NOW, key = signer) =>
      openIssuer({ certificate: issuer, responder: { certificate, signer: key }, now: () => new Date(seconds * 1000) })
    const purposes = ["1.3.6.1.5.5.7.3.9"]
    const fit = await factory.certificate(1, { key: signer, purposes })
    const unfit = { code: "RESPONDER_UNFIT" }

    expect((await open(fit.der)).responder?.minted).toBe(false)
    await expect(open(fit.der, NOW, await generateP256Key())).rejects.toMatchObject(unfit)
    await expect(open(fit.der, NOW + 2 * 365 * 86_400)).rejects.toMatchObject(unfit)
    await expect(open(fit.der, NOW - 86_400)).rejects.toMatchObject(unfit)
    await expect(open((await factory.certificate(1, { key: signer })).der)).rejects.toMatchObject(unfit)
    const other = await FakeFactory.make(1, NOW)
    await expect(open((await other.certificate(1, { key: signer, purposes })).der)).rejects.toMatchObject(unfit)
  })

  it("reads PEM as well as DER", async () => {
    const certificate = encodePem("CERTIFICATE", factory.issuer.certificate.der)
    expect((await openIssuer({ certificate, signer: factory.signer })).keyId).toBe(factory.signer.keyId)
  })
})

describe("the OCSP routes", () => {
  const headers = {}
  async function call(
    method: string,
    path: string,
    more: { body?: Uint8Array; headers?: Record<string, string> } = {},
  ) {
    const route = findRoute(ocspRoutes(context()), path, method)!
    return route.handle({
      method,
      path,
      query: new URLSearchParams(),
      headers: more.headers ?? headers,
      body: more.body ?? new Uint8Array(0),
      clientCertificate: undefined,
      secure: false,
      remoteAddress: "127.0.0.1",
      signal: AbortSignal.timeout(10_000),
    })
  }
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

  it("answer POST at the address with and without a slash", async () => {
    for (const path of ["/ocsp", "/ocsp/"]) {
      const { status, headers, body } = await call("POST", path, { body: question(factory.serial(3)) })
      expect(status).toBe(200)
      expect(headers["Content-Type"]).toBe("application/ocsp-response")
      expect(headers["Cache-Control"]).toBe("no-store")
      expect(read(body as Uint8Array).first?.status).toBe("good")
    }
  })

  it("answer GET however the base64 is written", async () => {
    // A request whose base64 has all three signs.
    let request = question(factory.serial(3))
    for (let i = 0; !/\+/.test(base64(request)) || !/\//.test(base64(request)) || !/=/.test(base64(request)); i++) {
      request = encodeOcspRequest([certId(Uint8Array.of(0x3f, 0xff, 0xbf, i >> 8, i, ...new Uint8Array(i % 3)))])
    }
    const raw = base64(request)
    const spellings = [raw, encodeURIComponent(raw), `/${raw}`, raw.replaceAll("=", ""), raw.replaceAll("+", "%2b")]
    for (const spelling of spellings) expect(requestInPath(`/ocsp/${spelling}`)).toEqual(request)
    for (const spelling of ["", "%", "%zz", "a b", "a-b_", "====", `${raw}=====`]) {
      expect(requestInPath(`/ocsp/${spelling}`)).toBeUndefined()
    }
    const { body } = await call("GET", `/ocsp/${encodeURIComponent(raw)}`)
    expect(read(body as Uint8Array).first?.status).toBe("unknown")
  })

  it("let caches keep what is for all, no longer than it is valid", async () => {
    const path = `/ocsp/${encodeURIComponent(base64(question(factory.serial(3))))}`
    const { status, headers } = await call("GET", path)
    expect(status).toBe(200)
    expect(headers["Cache-Control"]).toBe("max-age=60, public, no-transform, must-revalidate")
    expect(headers["Expires"]).toBe(new Date((NOW + 60) * 1000).toUTCString())
    expect(headers["Last-Modified"]).toBe(new Date((NOW - 2) * 1000).toUTCString())
    const again = ocspRoutes(context())
    const ask = async (tag?: string) =>
      findRoute(again, path, "GET")!.handle({
        method: "GET",
        path,
        query: new URLSearchParams(),
        headers: tag === undefined ? {} : { "if-none-match": tag },
        body: new Uint8Array(0),
        clientCertificate: undefined,
        secure: false,
        remoteAddress: "127.0.0.1",
        signal: AbortSignal.timeout(10_000),
      })
    const first = await ask()
    const second = await ask(first.headers["ETag"])
    expect(second.status).toBe(304)
    expect(second.body).toHaveLength(0)
    factory.fleet.mark(MAKER, SERIES, 3)
    expect((await ask(first.headers["ETag"])).status).toBe(200)
  })

  it("let nobody keep failures", async () => {
    for (const path of ["/ocsp/AAAA", "/ocsp/%%%"]) {
      const { status, headers, body } = await call("GET", path)
      expect([status, headers["Cache-Control"], read(body as Uint8Array).status]).toEqual([200, "no-store", 1])
    }
  })
})

describe("the table of OCSP failures", () => {
  it("names errors that there are, each explained in docs/errors.md", () => {
    const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8")
    for (const name of Object.keys(OCSP_FAILURE)) expect(page).toContain(`\`${name}\``)
    const listed = Object.keys(OCSP_FAILURE)
    const ofOcsp = Object.keys(revocationErrors).filter((name) => name.startsWith("Ocsp"))
    expect(ofOcsp.filter((name) => !listed.includes(name))).toEqual([])
  })
})

describe("readOcspRequest", () => {
  it("gives back the very octets of a CertID", () => {
    const id = certId(factory.serial(3), "sha256")
    const [read] = readOcspRequest(encodeOcspRequest([id]), 64).certIds
    expect(read?.der).toEqual(id)
    expect(read?.serial).toEqual(factory.serial(3))
  })
})
