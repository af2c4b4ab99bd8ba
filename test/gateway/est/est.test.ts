import { execFileSync } from "node:child_process"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { AsnConvert } from "@peculiar/asn1-schema"
import { ContentInfo, SignedData } from "@peculiar/asn1-cms"
import {
  buildCertificate,
  buildCsr,
  checkDeviceProfile,
  decodePem,
  decodePositionSerial,
  derElement,
  derSequence,
  generateP256Key,
  parseCertificate,
  positionSerialMatches,
  signerFromPkcs8,
} from "../../../client/index.ts"
import type { Certificate, KeySigner } from "../../../client/index.ts"
import { makeToken } from "../../../gateway/est/index.ts"
import { EstLabelUnfitError } from "../../../gateway/errors/enrolment.ts"
import { estRoutes } from "../../../gateway/est/index.ts"
import { makeTree } from "../../helpers/fleet.ts"
import { generateSigner } from "../../helpers/signers.ts"
import { challenge, csrWith } from "./csrAttributes.ts"
import type { Attribute } from "./csrAttributes.ts"
import { basic, certificateIn, CRL_URL, deviceCsr, EstBed, OCSP_URL } from "./estBed.ts"

let bed: EstBed
beforeAll(async () => {
  bed = await EstBed.start()
})
afterAll(async () => {
  await bed.close()
})

const tokenText = async (options: Parameters<typeof makeToken>[1] = {}): Promise<string> =>
  (await makeToken(bed.store, { now: () => bed.net.clock, ...options })).text

/** Enrols a device by a token and lets the ledger settle. */
async function enrolled(
  name: string,
  signer?: KeySigner,
): Promise<{ certificate: Certificate; signer: KeySigner; csr: Uint8Array }> {
  const made = await deviceCsr(name, signer)
  const answer = await bed.enrol("simpleenroll", made.csr, { token: await tokenText() })
  expect(answer).toMatchObject({ status: 200 })
  await bed.catchUp()
  return { certificate: certificateIn(answer), ...made }
}

const code = (answer: { text: string }): unknown => (JSON.parse(answer.text) as { code?: unknown }).code

async function statusOf({ der, fingerprint }: Certificate): Promise<string> {
  const receipt = await bed.ask(`/receipts/${fingerprint}`)
  const verdict = await bed.net.verifier().checkCertificate(der, { receipt: receipt.body as Uint8Array })
  return verdict.reason === null ? verdict.status : `${verdict.status} ${verdict.reason}`
}

/** How many certificates the ledger was told of that have a successor in use. */
const supersededSoFar = (): number =>
  bed.events.reduce((sum, event) => sum + ("step" in event && event.step === "superseded" ? event.count : 0), 0)
const superseded = async (count: number): Promise<void> => {
  await expect.poll(supersededSoFar, { timeout: 20_000 }).toBe(count)
  await bed.catchUp()
}

describe("cacerts and csrattrs", () => {
  it("give the CA in certs-only CMS, on one line of base64, to anybody", async () => {
    const answer = await bed.ask("/.well-known/est/cacerts")
    expect(answer).toMatchObject({
      status: 200,
      headers: { "Content-Type": "application/pkcs7-mime", "Content-Transfer-Encoding": "base64" },
    })
    expect(answer.text).toMatch(/^[A-Za-z0-9+/]+=*$/)
    const cms = AsnConvert.parse(Buffer.from(answer.text, "base64"), ContentInfo)
    const signed = AsnConvert.parse(cms.content, SignedData)
    expect(signed.signerInfos).toHaveLength(0)
    expect(signed.certificates).toHaveLength(1)
    const printed = execFileSync("openssl", ["pkcs7", "-inform", "DER", "-print_certs"], {
      input: Buffer.from(answer.text, "base64"),
      encoding: "utf8",
    })
    expect(parseCertificate(decodePem(printed, "CERTIFICATE")[0]!.der).keyId).toBe(bed.ca.signer.keyId)
  })

  it("ask for P-256 keys that sign with SHA-256", async () => {
    const { text, headers } = await bed.ask("/.well-known/est/csrattrs")
    expect(headers["Content-Type"]).toBe("application/csrattrs")
    const parsed = execFileSync("openssl", ["asn1parse", "-inform", "DER"], {
      input: Buffer.from(text, "base64"),
      encoding: "utf8",
    })
    for (const word of ["id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256"]) expect(parsed).toContain(word)
  })
})

describe("simpleenroll with a one-time token", () => {
  it("gives a certificate of the profile, at its place on the ledger, with a receipt", async () => {
    const { certificate, signer } = await enrolled("first")
    expect(certificate.keyId).toBe(signer.keyId)
    expect(checkDeviceProfile(certificate)).toEqual([])
    const { chainId, contracts } = bed.net.deployment
    const context = { chainId: BigInt(chainId), registry: contracts.devices.address, issuerKeyId: bed.ca.signer.keyId }
    expect(positionSerialMatches(certificate.serial, context)).toBe(true)
    expect(decodePositionSerial(certificate.serial)?.manufacturerId).toBe(bed.manufacturerId)
    const text = Buffer.from(certificate.der).toString("latin1")
    for (const url of [CRL_URL, OCSP_URL]) expect(text).toContain(url)
    expect(await statusOf(certificate)).toBe("good")
  })

  it("says the same as a certificate of the client's own making", async () => {
    const { certificate, signer } = await enrolled("twin")
    const own = await buildCertificate({
      subject: { commonName: "twin" },
      issuer: bed.ca.certificate,
      spki: signer.spki,
      signer: bed.ca.signer,
      serial: certificate.serial,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      purposes: ["1.3.6.1.5.5.7.3.2"],
      aiaOcsp: OCSP_URL,
      crlUrl: CRL_URL,
    })
    expect(certificate.tbs).toEqual(parseCertificate(own).tbs)
  })

  it("gives the same certificate when the same is asked again, and nothing else for a used token", async () => {
    const token = await tokenText()
    const { csr, signer } = await deviceCsr("repeated")
    const first = await bed.enrol("simpleenroll", csr, { token })
    // ECDSA signs anew each time; key and names are the same.
    const again = await bed.enrol("simpleenroll", (await deviceCsr("repeated", signer)).csr, { token })
    expect(again.text).toBe(first.text)
    const other = await bed.enrol("simpleenroll", (await deviceCsr("another")).csr, { token })
    expect(other.status).toBe(401)
  })

  it.each([
    ["without one", async () => undefined],
    ["with a made-up one", async () => "nobody-knows-me"],
    ["with one of another label", async () => tokenText({ label: "other" })],
    ["with one that has ended", async () => tokenText({ lifetimeSeconds: -1 })],
  ])("asks for a password, with an empty body, %s", async (_how, make) => {
    const token = await make()
    const answer = await bed.enrol(
      "simpleenroll",
      (await deviceCsr("nobody")).csr,
      token === undefined ? {} : { token },
    )
    expect(answer).toMatchObject({ status: 401, text: "" })
    expect(answer.headers["WWW-Authenticate"]).toMatch(/^Basic realm=/)
  })

  it("binds a token to a subject", async () => {
    const token = await tokenText({ subject: "CN=bound" })
    const wrong = await bed.enrol("simpleenroll", (await deviceCsr("unbound")).csr, { token })
    expect([wrong.status, code(wrong)]).toEqual([400, "CSR_SUBJECT_REFUSED"])
    const right = await bed.enrol("simpleenroll", (await deviceCsr("bound")).csr, { token })
    expect(right.status).toBe(200)
    // And again, for a device that lost its key: whoever makes a token for this subject answers for it.
    const later = await bed.enrol("simpleenroll", (await deviceCsr("bound")).csr, {
      token: await tokenText({ subject: "CN=bound" }),
    })
    expect(later.status).toBe(200)
  })

  it("gives nobody the subject of another device, however it is spelled", async () => {
    await enrolled("Somebody Else")
    for (const name of ["Somebody Else", "somebody else", "Somebody  Else", "Somebody\u00a0Else"]) {
      const answer = await bed.enrol("simpleenroll", (await deviceCsr(name)).csr, { token: await tokenText() })
      expect([answer.status, code(answer)]).toEqual([409, "CSR_SUBJECT_TAKEN"])
    }
  })

  it("waits no longer than it should, and has the certificate when it is asked again", async () => {
    await bed.net.ask("evm_setAutomine", false)
    bed.use({}, { holdMs: 50 })
    const token = await tokenText()
    const { csr } = await deviceCsr("patient")
    const first = await bed.enrol("simpleenroll", csr, { token })
    expect(first).toMatchObject({ status: 202, text: "", headers: { "Retry-After": "2" } })
    expect((await bed.enrol("simpleenroll", csr, { token })).status).toBe(202)
    await bed.net.ask("evm_setAutomine", true)
    await bed.net.ask("evm_mine")
    bed.use({})
    expect((await bed.enrol("simpleenroll", csr, { token })).status).toBe(200)
  })

  it("answers 503 while the ledger is stale, and issues nothing", async () => {
    const { clock } = bed.net
    bed.net.clock = new Date(clock.getTime() + 3_600_000)
    const answer = await bed.enrol("simpleenroll", (await deviceCsr("stale")).csr, {
      token: await tokenText({ lifetimeSeconds: 7_200 }),
    })
    bed.net.clock = clock
    expect(answer).toMatchObject({ status: 503, headers: { "Retry-After": "2" } })
    expect(code(answer)).toBe("STALE_HEAD")
  })
})

describe("certificate requests that are refused by name", () => {
  const refused = async (csr: Uint8Array): Promise<unknown[]> => {
    const answer = await bed.enrol("simpleenroll", csr, { token: await tokenText() })
    return [answer.status, code(answer)]
  }
  const openssl = (...args: string[]): Uint8Array =>
    new Uint8Array(
      execFileSync("openssl", ["req", "-new", "-nodes", "-keyout", "/dev/null", "-outform", "DER", ...args], {
        stdio: ["ignore", "pipe", "ignore"],
      }),
    )

  it("a key below 2048 bits of RSA", async () => {
    expect(await refused(openssl("-newkey", "rsa:1024", "-subj", "/CN=weak"))).toEqual([400, "CSR_KEY_UNFIT"])
  })

  it("a P-192 key", async () => {
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime192v1", "-subj", "/CN=weak"]
    expect(await refused(openssl(...ec))).toEqual([400, "CSR_KEY_UNFIT"])
  })

  it("a point that is not on the curve", async () => {
    const { csr, signer } = await deviceCsr("bad point")
    const bytes = Uint8Array.from(csr)
    const at = Buffer.from(bytes).indexOf(Buffer.from(signer.spki)) + signer.spki.length - 1
    bytes[at] = (bytes[at] as number) ^ 1
    expect(await refused(bytes)).toEqual([400, "CSR_KEY_UNFIT"])
  })

  it("a signature by another key", async () => {
    const { csr } = await deviceCsr("unproven")
    const bytes = Uint8Array.from(csr)
    const at = Buffer.from(bytes).indexOf("unproven")
    bytes[at] = 0x55
    expect(await refused(bytes)).toEqual([400, "CSR_SIGNATURE_INVALID"])
  })

  it.each([
    ["to be a CA", "2.5.29.19", Uint8Array.of(0x30, 0x03, 0x01, 0x01, 0xff)],
    ["to be a CA, in bad DER", "2.5.29.19", Uint8Array.of(0x30, 0x01, 0x00)],
    ["to sign certificates", "2.5.29.15", Uint8Array.of(0x03, 0x02, 0x02, 0x04)],
    ["to sign CRLs", "2.5.29.15", Uint8Array.of(0x03, 0x02, 0x01, 0x02)],
  ])("asking %s", async (_what, oid, value) => {
    const { csr } = await deviceCsr("ambitious", undefined, [{ oid, critical: true, value }])
    expect(await refused(csr)).toEqual([400, "CSR_EXTENSION_REFUSED"])
  })

  it("alternative names, with a token that may not choose them", async () => {
    const value = derSequence(derElement(0x82, new TextEncoder().encode("other.example")))
    const { csr } = await deviceCsr("alternative", undefined, [{ oid: "2.5.29.17", critical: false, value }])
    expect(await refused(csr)).toEqual([400, "CSR_SUBJECT_REFUSED"])
    bed.use({ alternativeNames: true })
    const answer = await bed.enrol("simpleenroll", csr, { token: await tokenText() })
    expect(certificateIn(answer).extensions.find(({ oid }) => oid === "2.5.29.17")?.value).toEqual(value)
    const twin = await deviceCsr("not alternative", undefined, [{ oid: "2.5.29.17", critical: false, value }])
    expect(await refused(twin.csr)).toEqual([409, "CSR_SUBJECT_TAKEN"])
    bed.use({})
  })

  it("no name at all, and names with invisible characters", async () => {
    const signer = await generateP256Key()
    expect(await refused(await buildCsr({ subject: derSequence(), signer }))).toEqual([400, "CSR_SUBJECT_REFUSED"])
    expect(await refused((await deviceCsr("inv\u200bisible")).csr)).toEqual([400, "CSR_SUBJECT_REFUSED"])
  })

  it("what is no request", async () => {
    const { csr } = await deviceCsr("cut")
    const nested = Uint8Array.from({ length: 40_000 }, (_, i) => (i % 2 === 0 ? 0x30 : 0x80))
    for (const bytes of [csr.subarray(0, -1), Uint8Array.of(0x30, 0x80, 0, 0), new Uint8Array(60_000), nested]) {
      expect(await refused(bytes)).toEqual([400, "EST_REQUEST_MALFORMED"])
    }
  })

  it("bodies that are not base64, and of other types", async () => {
    const path = "/.well-known/est/simpleenroll"
    const ask = async (body: string, type = "application/pkcs10"): Promise<unknown[]> => {
      const headers = { "content-type": type, authorization: basic(await tokenText()) }
      const answer = await bed.ask(path, { method: "POST", body: new TextEncoder().encode(body), headers })
      return [answer.status, code(answer)]
    }
    const base64 = Buffer.from((await deviceCsr("typed")).csr).toString("base64")
    for (const body of ["", "====", "MII*", base64.slice(0, -3), `${base64}=`]) {
      expect(await ask(body)).toEqual([400, "EST_REQUEST_MALFORMED"])
    }
    for (const type of ["", "application/json", "application/pkcs10x"]) {
      expect(await ask(base64, type)).toEqual([415, "EST_CONTENT_TYPE"])
    }
    const wrapped = base64.replaceAll(/.{64}/g, "$&\r\n")
    const headers = { "content-type": "application/pkcs10; charset=us-ascii", authorization: basic(await tokenText()) }
    expect(await bed.ask(path, { method: "POST", body: Buffer.from(wrapped), headers })).toMatchObject({ status: 200 })
  })

  it("a device key that the ledger has marked", async () => {
    const { csr, signer } = await deviceCsr("lost key")
    await bed.maker.revoke([{ subject: signer.keyId }], { reason: 1 })
    await bed.catchUp()
    expect(await refused(csr)).toEqual([400, "CSR_KEY_UNFIT"])
  })

  it("takes P-384, Ed25519 and RSA keys", async () => {
    for (const algorithm of ["p384", "ed25519", "rsa"] as const) {
      const { certificate } = await enrolled(`a ${algorithm} device`, await generateSigner(algorithm))
      expect(await statusOf(certificate)).toBe("good")
    }
  })
})

describe("simpleenroll with a manufacturer's certificate", () => {
  /** A device of a batch that the factory registered. */
  async function factoryDevice(name: string): Promise<Certificate> {
    const signer = await generateP256Key()
    const now = await bed.net.now()
    const der = await buildCertificate({
      subject: { commonName: name },
      issuer: bed.ca.certificate,
      spki: signer.spki,
      signer: bed.ca.signer,
      serial: crypto.getRandomValues(new Uint8Array(16)).fill(0x11, 0, 1),
      notBefore: now - 60,
      notAfter: now + 86_400,
    })
    const certificate = parseCertificate(der)
    const series = await bed.maker.nextSeries()
    const tree = makeTree(bed.net.deployment, bed.manufacturerId, series, [certificate.credentialHash])
    const { root, size } = tree
    await bed.maker.registerBatch({ series, root, size, notAfter: now + 86_400, issuerKeyId: bed.ca.signer.keyId })
    await bed.catchUp()
    bed.use({}, { receipts: { receiptOf: async () => tree.receipt(0) } })
    return certificate
  }

  it("gives the same subject to a new key", async () => {
    const { der, subjectDer } = await factoryDevice("made 1")
    const answer = await bed.enrol("simpleenroll", (await deviceCsr("made 1")).csr, { certificate: der })
    expect(certificateIn(answer).subjectDer).toEqual(subjectDer)
    const unnamed = await buildCsr({ subject: derSequence(), signer: await generateP256Key() })
    expect(certificateIn(await bed.enrol("simpleenroll", unnamed, { certificate: der })).subjectDer).toEqual(subjectDer)
  })

  it("gives it no other subject", async () => {
    const { der } = await factoryDevice("made 2")
    const answer = await bed.enrol("simpleenroll", (await deviceCsr("made 3")).csr, { certificate: der })
    expect([answer.status, code(answer)]).toEqual([400, "CSR_SUBJECT_REFUSED"])
  })

  it("refuses it when it is revoked, on hold, unknown or another manufacturer's", async () => {
    const { der, credentialHash } = await factoryDevice("made 4")
    const { csr } = await deviceCsr("made 4")
    await bed.maker.hold([{ subject: credentialHash }])
    await bed.catchUp()
    expect(code(await bed.enrol("simpleenroll", csr, { certificate: der }))).toBe("CLIENT_CERTIFICATE_REFUSED")
    await bed.maker.revoke([{ subject: credentialHash }], { reason: 1 })
    await bed.catchUp()
    const revoked = await bed.enrol("simpleenroll", csr, { certificate: der })
    expect([revoked.status, code(revoked)]).toEqual([403, "CLIENT_CERTIFICATE_REFUSED"])
    expect(revoked.text).toContain("keyCompromise")

    const good = await factoryDevice("made 5")
    bed.use({ manufacturers: [4_000] }, { receipts: bed.context.receipts! })
    const foreign = await bed.enrol("simpleenroll", csr, { certificate: good.der })
    expect(code(foreign)).toBe("CLIENT_CERTIFICATE_REFUSED")
    bed.use({})
    // Without a receipt nothing shows that it was ever anchored.
    const unproven = await bed.enrol("simpleenroll", csr, { certificate: good.der })
    expect(code(unproven)).toBe("CLIENT_CERTIFICATE_REFUSED")
    expect(code(await bed.enrol("simpleenroll", csr, { certificate: Uint8Array.of(1, 2, 3) }))).toBe(
      "CLIENT_CERTIFICATE_REFUSED",
    )
  })

  it("can be renewed, and is superseded then", async () => {
    const before = supersededSoFar()
    const old = await factoryDevice("made 6")
    const answer = await bed.enrol("simplereenroll", (await deviceCsr("made 6")).csr, { certificate: old.der })
    const renewed = certificateIn(answer)
    await bed.catchUp()
    await bed.enrol("simpleenroll", (await deviceCsr("made 6")).csr, { certificate: renewed.der })
    await superseded(before + 1)
    const verdict = await bed.net.verifier().checkCertificate(old.der, { receipts: bed.context.receipts! })
    expect([verdict.status, verdict.reason]).toEqual(["revoked", "superseded"])
    bed.use({})
  })
})

describe("simplereenroll", () => {
  it("keeps the subject, and supersedes the old certificate once the new one is used", async () => {
    const before = supersededSoFar()
    const old = await enrolled("renewing")
    const { csr } = await deviceCsr("renewing")
    const answer = await bed.enrol("simplereenroll", csr, { certificate: old.certificate.der })
    const renewed = certificateIn(answer)
    expect(renewed.subjectDer).toEqual(old.certificate.subjectDer)
    await bed.catchUp()
    expect(await statusOf(old.certificate)).toBe("good")

    // Asked again, it is the same.
    expect((await bed.enrol("simplereenroll", csr, { certificate: old.certificate.der })).text).toBe(answer.text)

    const next = await bed.enrol("simplereenroll", (await deviceCsr("renewing")).csr, { certificate: renewed.der })
    expect(next.status).toBe(200)
    await superseded(before + 1)
    expect(await statusOf(old.certificate)).toBe("revoked superseded")
    expect(await statusOf(renewed)).toBe("good")
    const late = await bed.enrol("simplereenroll", (await deviceCsr("renewing")).csr, {
      certificate: old.certificate.der,
    })
    expect([late.status, code(late)]).toEqual([403, "CLIENT_CERTIFICATE_REFUSED"])
  })

  it("renews with the same key too", async () => {
    const { certificate, signer } = await enrolled("same key")
    const { csr } = await deviceCsr("same key", signer)
    const renewed = certificateIn(await bed.enrol("simplereenroll", csr, { certificate: certificate.der }))
    await bed.catchUp()
    expect(renewed.fingerprint).not.toBe(certificate.fingerprint)
    const third = certificateIn(await bed.enrol("simplereenroll", csr, { certificate: renewed.der }))
    expect(third.fingerprint).not.toBe(renewed.fingerprint)
  })

  it("lets one of several successors live: the first that is used", async () => {
    const before = supersededSoFar()
    const { certificate } = await enrolled("forked")
    const renew = async (): Promise<Certificate> =>
      certificateIn(
        await bed.enrol("simplereenroll", (await deviceCsr("forked")).csr, { certificate: certificate.der }),
      )
    const [thief, owner] = [await renew(), await renew()]
    await bed.catchUp()
    const used = await bed.enrol("simplereenroll", (await deviceCsr("forked")).csr, { certificate: owner.der })
    expect(used.status).toBe(200)
    const barred = await bed.enrol("simplereenroll", (await deviceCsr("forked")).csr, { certificate: thief.der })
    expect([barred.status, code(barred)]).toEqual([403, "CLIENT_CERTIFICATE_REFUSED"])
    await superseded(before + 2)
    expect(await statusOf(thief)).toBe("revoked superseded")
    expect(await statusOf(owner)).toBe("good")
  })

  it("lets nobody in by a certificate that goes back to a stolen key", async () => {
    const { certificate } = await enrolled("stolen")
    const answer = await bed.enrol("simplereenroll", (await deviceCsr("stolen")).csr, { certificate: certificate.der })
    const thiefs = certificateIn(answer)
    await bed.maker.revoke([{ subject: certificate.credentialHash }], { reason: 1 })
    await bed.catchUp()
    const late = await bed.enrol("simplereenroll", (await deviceCsr("stolen")).csr, { certificate: thiefs.der })
    expect([late.status, code(late)]).toEqual([403, "CLIENT_CERTIFICATE_REFUSED"])
    expect(late.text).toContain("goes back to a certificate that is revoked, keyCompromise")
  })

  it("takes no token and no changed subject", async () => {
    const { certificate } = await enrolled("unchanging")
    const { csr } = await deviceCsr("unchanging")
    expect((await bed.enrol("simplereenroll", csr, { token: await tokenText() })).status).toBe(401)
    const changed = await bed.enrol("simplereenroll", (await deviceCsr("changed")).csr, {
      certificate: certificate.der,
    })
    expect([changed.status, code(changed)]).toEqual([400, "CSR_SUBJECT_REFUSED"])
  })

  it("gives one device so many certificates an hour", async () => {
    const { certificate } = await enrolled("greedy")
    bed.use({}, { perDeviceAndHour: 2 })
    const statuses: number[] = []
    for (let i = 0; i < 3; i++) {
      const { csr } = await deviceCsr("greedy")
      statuses.push((await bed.enrol("simplereenroll", csr, { certificate: certificate.der })).status)
    }
    bed.use({})
    expect(statuses).toEqual([200, 200, 429])
  })
})

describe("serverkeygen", () => {
  it("gives a key and its certificate, the same ones when asked again", async () => {
    const token = await tokenText()
    const { csr } = await deviceCsr("keyless")
    const answer = await bed.enrol("serverkeygen", csr, { token })
    const { key, certificate } = partsOf(answer)
    const signer = await signerFromPkcs8(key)
    expect(certificate.keyId).toBe(signer.keyId)
    await bed.catchUp()
    expect(await statusOf(certificate)).toBe("good")
    const again = partsOf(await bed.enrol("serverkeygen", csr, { token }))
    expect([again.key, again.certificate.fingerprint]).toEqual([key, certificate.fingerprint])
  })

  it("makes another key, and another certificate for it, when the first was lost with the process", async () => {
    const token = await tokenText()
    const { csr } = await deviceCsr("restarted")
    const first = partsOf(await bed.enrol("serverkeygen", csr, { token }))
    bed.use({})
    const { key, certificate } = partsOf(await bed.enrol("serverkeygen", csr, { token }))
    expect(certificate.fingerprint).not.toBe(first.certificate.fingerprint)
    expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
  })

  it("gives no certificate with the key of another, when two processes have one request at the same time", async () => {
    const token = await tokenText()
    const { csr } = await deviceCsr("raced")
    const gateways = [bed.routes, estRoutes(bed.context)]
    const ask = async (i: number): Promise<Awaited<ReturnType<EstBed["enrol"]>>> => {
      bed.routes = gateways[i] ?? []
      return bed.enrol("serverkeygen", csr, { token })
    }
    await Promise.all([ask(0), ask(1)])
    for (const i of [0, 1]) {
      const { key, certificate } = partsOf(await ask(i))
      expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
    }
    bed.use({})
  })
})

describe("a request and the connection that it comes in", () => {
  const binding = Uint8Array.from({ length: 32 }, (_, i) => i + 200)
  const base64 = Buffer.from(binding).toString("base64")
  const post = async (csr: Uint8Array, octets: Uint8Array | undefined = binding): Promise<unknown[]> => {
    const answer = await bed.ask("/.well-known/est/simpleenroll", {
      method: "POST",
      body: new TextEncoder().encode(Buffer.from(csr).toString("base64")),
      headers: { "content-type": "application/pkcs10", authorization: basic(await tokenText()) },
      ...(octets.length === 0 ? {} : { channelBinding: () => octets }),
    })
    return [answer.status, ...(answer.status === 200 ? [] : [code(answer)])]
  }
  const linked = async (text: string, ...more: Attribute[]): Promise<Uint8Array> =>
    (await csrWith(`linked ${Math.random()}`, [challenge(text), ...more])).csr
  const REFUSED = [400, "CSR_UNLINKED"]

  it("are linked by what names the connection, in whatever string type", async () => {
    expect(await post(await linked(base64))).toEqual([200])
    const { csr } = await csrWith("printable", [challenge(base64, 0x13)])
    expect(await post(csr)).toEqual([200])
    expect(await post((await deviceCsr("unlinked")).csr)).toEqual([200])
  })

  it("are refused when that is another connection's, or none is known", async () => {
    const other = Buffer.from(binding.toReversed()).toString("base64")
    for (const text of [other, `${base64} `, "", "secret", Buffer.from(binding).toString("hex")]) {
      expect(await post(await linked(text))).toEqual(REFUSED)
    }
    expect(await post(await linked(base64), new Uint8Array(0))).toEqual(REFUSED)
    expect(await post(await linked(""), new Uint8Array(0))).toEqual(REFUSED)
    expect(await post(await linked(base64, challenge(base64)))).toEqual(REFUSED)
    expect(await post((await csrWith("a number", [challenge(base64, 0x02)])).csr)).toEqual(REFUSED)
  })

  it("must be linked where that is required, and csrattrs say so", async () => {
    const asked = async (): Promise<string> =>
      execFileSync("openssl", ["asn1parse", "-inform", "DER"], {
        input: Buffer.from((await bed.ask("/.well-known/est/csrattrs")).text, "base64"),
        encoding: "utf8",
      })
    expect(await asked()).not.toContain("challengePassword")
    bed.use({ channelLinking: "required" })
    expect(await asked()).toContain("challengePassword")
    expect(await post((await deviceCsr("unlinked too")).csr)).toEqual(REFUSED)
    expect(await post(await linked(base64))).toEqual([200])
    bed.use({ channelLinking: "ignored" })
    expect(await post(await linked("what the factory put there"))).toEqual([200])
    bed.use({})
  })
})

describe("labels and receipts", () => {
  it("answer under their own address", async () => {
    bed.use({ label: "acme-2" })
    expect((await bed.ask("/.well-known/est/acme-2/cacerts")).status).toBe(200)
    await expect(bed.ask("/.well-known/est/cacerts")).rejects.toThrow("nothing is at")
    bed.use({})
  })

  it.each(["cacerts", "a/b", "ä"])("are not called %j", (label) => {
    expect(() => estRoutes(bed.contextWith({ label }))).toThrow(EstLabelUnfitError)
  })

  it("have a key that is the CA's and the sequencer's", async () => {
    const signer = await generateP256Key()
    expect(() => estRoutes(bed.contextWith({ signer }))).toThrow(EstLabelUnfitError)
  })

  it("know nothing of other fingerprints", async () => {
    for (const name of ["", "00", "zz".repeat(32), "11".repeat(32), "../secret"]) {
      expect((await bed.ask(`/receipts/${name}`)).status).toBe(404)
    }
  })
})

function partsOf(answer: { status: number; text: string; headers: Readonly<Record<string, string>> }): {
  key: Uint8Array
  certificate: Certificate
} {
  expect(answer.status).toBe(200)
  const [, boundary = ""] = /boundary="([^"]+)"/.exec(answer.headers["Content-Type"] ?? "") ?? []
  const parts = answer.text.split(`--${boundary}`).slice(1, -1)
  const bodies = parts.map((part) => part.split("\r\n\r\n")[1]?.trim() ?? "")
  expect(parts[0]).toContain("application/pkcs8")
  return {
    key: new Uint8Array(Buffer.from(bodies[0] ?? "", "base64")),
    certificate: certificateIn({ text: bodies[1] ?? "" }),
  }
}
