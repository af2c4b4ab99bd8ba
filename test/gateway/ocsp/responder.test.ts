import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AsnConvert } from "@peculiar/asn1-schema"
import { BasicOCSPResponse, OCSPResponse } from "@peculiar/asn1-ocsp"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { buildCertificate, generateP256Key, parseCertificate, toHex } from "../../../client/index.ts"
import type { Certificate } from "../../../client/index.ts"
import type { Issuer } from "../../../gateway/issuers/issuer.ts"
import { givenResponder, mintedResponder } from "../../../gateway/issuers/responder.ts"
import type { Responder } from "../../../gateway/issuers/responder.ts"
import { encodeCertId, encodeOcspRequest } from "../../../gateway/ocsp/codec.ts"
import { OcspAnswerer, StaticAnswers } from "../../../gateway/ocsp/index.ts"
import { issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { staticPath } from "../../../gateway/ocsp/staticAnswers.ts"
import { FakeFactory } from "../fakeFactory.ts"

const NOW = 1_800_000_000
const TRY_LATER = 3
const OCSP_SIGNING = ["1.3.6.1.5.5.7.3.9"]
let factory: FakeFactory
let clock: number
let folder: string

beforeEach(async () => {
  factory = await FakeFactory.make(4, NOW)
  clock = NOW
  folder = mkdtempSync(join(tmpdir(), "fleetroot-responder-"))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** A responder with a certificate of the factory's CA. */
async function responder(name: string, notBefore: number, notAfter: number): Promise<Responder> {
  const signer = await generateP256Key()
  const der = await buildCertificate({
    subject: { commonName: name },
    issuer: factory.issuer.certificate,
    spki: signer.spki,
    signer: factory.signer,
    serial: Uint8Array.of(0x20),
    notBefore,
    notAfter,
    purposes: OCSP_SIGNING,
  })
  return givenResponder({ certificate: parseCertificate(der), signer }, factory.issuer.certificate, notAfter)
}

function context(issuer: Issuer) {
  return { replica: factory.source, issuers: [issuer], now: () => new Date(clock * 1000) }
}

function question(index: number, nonce?: Uint8Array): Uint8Array {
  const serial = factory.serial(index)
  return encodeOcspRequest([encodeCertId({ hash: "sha1", ...issuerHashes(factory.issuer, "sha1"), serial })], nonce)
}

type Said = { status: number; says?: string; nextUpdate?: number; signer?: Certificate }

function read(der: Uint8Array): Said {
  const { responseStatus: status, responseBytes } = AsnConvert.parse(der, OCSPResponse)
  if (responseBytes === undefined) return { status }
  const basic = AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse)
  const [single] = basic.tbsResponseData.responses
  const { good, revoked } = single!.certStatus
  return {
    status,
    says: good === null ? "good" : revoked === undefined ? "unknown" : "revoked",
    nextUpdate: single!.nextUpdate!.getTime() / 1000,
    signer: parseCertificate(new Uint8Array(AsnConvert.serialize(basic.certs![0]!))),
  }
}

/** Asks without a nonce, whose answer may be kept, and with one. */
async function ask(answerer: OcspAnswerer, index = 1): Promise<[kept: Said, fresh: Said]> {
  const [kept, fresh] = [
    await answerer.answer(question(index)),
    await answerer.answer(question(index, Uint8Array.of(7))),
  ]
  return [read(kept.der), read(fresh.der)]
}

describe("a named responder's certificate", () => {
  it("ends answers with itself, and after that there are none, kept ones neither", async () => {
    const end = NOW + 20
    const answerer = new OcspAnswerer(
      context({ ...factory.issuer, responder: await responder("short", NOW - 100, end) }),
    )
    for (const said of await ask(answerer)) expect(said).toMatchObject({ status: 0, says: "good", nextUpdate: end })
    clock = end
    for (const said of await ask(answerer)) expect(said).toMatchObject({ status: 0, nextUpdate: end })
    clock = end + 1
    for (const said of await ask(answerer)) expect(said).toEqual({ status: TRY_LATER })
  })

  it("signs nothing before it begins, also when the clock went back over an answer that is kept", async () => {
    const answerer = new OcspAnswerer(
      context({ ...factory.issuer, responder: await responder("fresh", NOW, NOW + 1_000) }),
    )
    clock = NOW - 1
    for (const said of await ask(answerer)) expect(said).toEqual({ status: TRY_LATER })
    clock = NOW
    for (const said of await ask(answerer)) expect(said).toMatchObject({ status: 0, says: "good" })
    clock = NOW - 1
    for (const said of await ask(answerer)) expect(said).toEqual({ status: TRY_LATER })
  })

  it("is followed by another's at once: no kept answer bears the old signature", async () => {
    let current = await responder("old", NOW - 100, NOW + 1_000)
    const issuer = {
      ...factory.issuer,
      get responder() {
        return current
      },
    }
    const answerer = new OcspAnswerer(context(issuer))
    const [before] = await ask(answerer)
    current = await responder("new", NOW - 100, NOW + 1_000)
    for (const { signer, says } of await ask(answerer)) {
      expect(says).toBe("good")
      expect(toHex(signer!.spki)).not.toBe(toHex(before.signer!.spki))
      expect(toHex(signer!.spki)).toBe(toHex((await current.at(NOW)).certificate.spki))
    }
  })

  it("is followed by another's in the files, too", async () => {
    let current = await responder("old", NOW - 100, NOW + 1_000)
    const issuer = {
      ...factory.issuer,
      get responder() {
        return current
      },
    }
    const answers = new StaticAnswers({ ...context(issuer), folder })
    const inFile = () => read(readFileSync(join(folder, "ocsp", staticPath(question(2)))))
    expect(await answers.refresh()).toEqual({ written: 4, left: 0 })
    expect(await answers.refresh()).toEqual({ written: 0, left: 4 })
    expect(inFile()).toMatchObject({ says: "good", nextUpdate: NOW + 1_000 })
    const before = inFile().signer!
    current = await responder("new", NOW - 100, NOW + 2_000)
    expect(await answers.refresh()).toEqual({ written: 4, left: 0 })
    expect(toHex(inFile().signer!.spki)).not.toBe(toHex(before.spki))

    // Of one that has ended there is no file more, and what is there stays.
    const last = inFile()
    current = await responder("ended", NOW - 100, NOW - 1)
    expect(await answers.refresh()).toEqual({ written: 0, left: 0 })
    expect(inFile()).toEqual(last)
  })

  it("says of a compromised issuer's devices nothing but revoked, whatever was kept", async () => {
    const answerer = new OcspAnswerer(
      context({ ...factory.issuer, responder: await responder("named", NOW - 100, NOW + 1_000) }),
    )
    for (const said of await ask(answerer)) expect(said.says).toBe("good")
    factory.fleet.mine(0).changeKey(factory.signer.keyId, { compromisedSince: NOW - 1 })
    for (const said of await ask(answerer)) expect(said.says).toBe("revoked")
    // A serial that nobody has seen, too.
    for (const said of await ask(answerer, 1_000)) expect(said.says).toBe("revoked")
  })
})

describe("an issuer's certificate", () => {
  it("ends answers with itself: clients check them by it", async () => {
    const end = NOW + 20
    const certificate = { ...factory.issuer.certificate, notAfter: end }
    const issuers = [
      { ...factory.issuer, certificate, responder: mintedResponder(certificate, factory.signer) },
      { ...factory.issuer, certificate, responder: await responder("longer", NOW - 100, NOW + 1_000) },
    ]
    for (const issuer of issuers) {
      clock = NOW
      const answerer = new OcspAnswerer(context(issuer))
      for (const said of await ask(answerer)) expect(said).toMatchObject({ status: 0, nextUpdate: end })
      clock = end + 1
      for (const said of await ask(answerer)) expect(said).toEqual({ status: TRY_LATER })
    }
  })
})
