import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ContentInfo, EnvelopedData, SignedData } from "@peculiar/asn1-cms"
import { AsnConvert } from "@peculiar/asn1-schema"
import {
  DER,
  derElement,
  DerReader,
  derSequence,
  encodePem,
  fromHex,
  parseCertificate,
  signerFromPkcs8,
} from "../../../client/index.ts"
import type { Certificate, KeySigner } from "../../../client/index.ts"
import { makeToken } from "../../../gateway/est/index.ts"
import { attribute, capabilities, certificateKey, csrWith, sharedKey } from "./csrAttributes.ts"
import type { Attribute } from "./csrAttributes.ts"
import { certificateIn, deviceCsr, EstBed } from "./estBed.ts"

const KEYS = {
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  p384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  ed25519: ["-algorithm", "ED25519"],
} as const
const AES_128_CBC = "0x0609608648016503040102"
const AES_256_CBC = "0x060960864801650304012a"
const TRIPLE_DES_CBC = "0x06082a864886f70d0307"
const SECRET_NAME = new TextEncoder().encode("factory-7")
const SECRET = new Uint8Array(32).fill(0x5a)

type Device = { readonly name: string; readonly certificate: Certificate; readonly signer: KeySigner }
type Answer = Awaited<ReturnType<EstBed["enrol"]>>

let bed: EstBed
let folder: string
const at = (name: string): string => join(folder, name)
const openssl = (...args: string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

beforeAll(async () => {
  bed = await EstBed.start()
  folder = mkdtempSync(join(tmpdir(), "fleetroot-keygen-"))
  writeFileSync(at("ca.pem"), encodePem("CERTIFICATE", bed.ca.certificate.der))
  const secrets = new Map([[`0x${Buffer.from(SECRET_NAME).toString("hex")}` as const, SECRET]])
  bed.use({ keyEncryption: true, sharedSecrets: secrets })
})
afterAll(async () => {
  await bed.close()
  rmSync(folder, { recursive: true, force: true })
})

const token = async (): Promise<string> => (await makeToken(bed.store, { now: () => bed.net.clock })).text
const code = (answer: Answer): unknown => (JSON.parse(answer.text) as { code?: unknown }).code

/** A device with a certificate of this gateway, its key and certificate in files for openssl. */
async function device(name: string, kind: keyof typeof KEYS): Promise<Device> {
  openssl("genpkey", ...KEYS[kind], "-out", at(`${name}.key`))
  const signer = await signerFromPkcs8(readFileSync(at(`${name}.key`), "utf8"))
  const answer = await bed.enrol("simpleenroll", (await deviceCsr(name, signer)).csr, { token: await token() })
  const certificate = certificateIn(answer)
  writeFileSync(at(`${name}.pem`), encodePem("CERTIFICATE", certificate.der))
  await bed.catchUp()
  return { name, certificate, signer }
}

/** Asks for a key with these attributes in the request, as the device. */
async function keyFor({ name, certificate }: Device, ...attributes: Attribute[]): Promise<Answer> {
  return bed.enrol("serverkeygen", (await csrWith(name, attributes)).csr, { certificate: certificate.der })
}

const keyOf = ({ certificate }: Device): Attribute =>
  certificateKey(certificate.subjectKeyIdentifier ?? new Uint8Array())

/** The encrypted key and the certificate in an answer. */
function partsOf(answer: Answer): { enveloped: Uint8Array; certificate: Certificate } {
  expect([answer.status, answer.text.slice(0, 200)]).toEqual([200, expect.any(String)])
  const [, boundary = ""] = /boundary="([^"]+)"/.exec(answer.headers["Content-Type"] ?? "") ?? []
  const parts = answer.text.split(`--${boundary}`).slice(1, -1)
  expect(parts).toHaveLength(2)
  expect(parts[0]).toContain("Content-Type: application/pkcs7-mime; smime-type=server-generated-key\r\n")
  expect(parts[0]).toContain("Content-Transfer-Encoding: base64\r\n")
  const bodies = parts.map((part) => part.split("\r\n\r\n")[1]?.trim() ?? "")
  return {
    enveloped: new Uint8Array(Buffer.from(bodies[0] ?? "", "base64")),
    certificate: certificateIn({ text: bodies[1] ?? "" }),
  }
}

/** Opens the envelope and checks the signature inside, with openssl alone; gives the PKCS #8. */
function opened(enveloped: Uint8Array, ...how: string[]): Uint8Array {
  writeFileSync(at("enveloped.der"), enveloped)
  openssl("cms", "-decrypt", "-inform", "DER", "-in", at("enveloped.der"), "-binary", "-out", at("signed.der"), ...how)
  // What was encrypted is the SignedData itself; openssl reads it as a message of its own.
  const signed = derSequence(fromHex("0x06092a864886f70d010702"), derElement(0xa0, readFileSync(at("signed.der"))))
  writeFileSync(at("message.der"), signed)
  const trust = ["-CAfile", at("ca.pem"), "-purpose", "any"]
  openssl("cms", "-verify", "-inform", "DER", "-in", at("message.der"), "-binary", "-out", at("package.der"), ...trust)
  const printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", at("message.der"))
  // OneAsymmetricKey, the one of the AsymmetricKeyPackage.
  expect(printed).toMatch(/eContentType: .*2\.16\.840\.1\.101\.2\.1\.2\.78\.5/)
  const keys = new DerReader(new Uint8Array(readFileSync(at("package.der")))).enter(
    DER.sequence,
    "AsymmetricKeyPackage",
  )
  const key = keys.whole(keys.read(DER.sequence, "OneAsymmetricKey"))
  keys.finish()
  return key
}

describe("a key that the server makes", () => {
  it.each([
    ["p256", "dhSinglePass-stdDH-sha256kdf"],
    ["p384", "dhSinglePass-stdDH-sha384kdf"],
    ["rsa", "rsaesOaep"],
  ] as const)("is encrypted for the client's %s certificate, which openssl opens", async (kind, scheme) => {
    const own = await device(`keyless ${kind}`, kind)
    const { enveloped, certificate } = partsOf(await keyFor(own, keyOf(own)))
    const recipient = ["-inkey", at(`${own.name}.key`), "-recip", at(`${own.name}.pem`)]
    const key = opened(enveloped, ...recipient)
    expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
    expect(certificate.subjectDer).toEqual(own.certificate.subjectDer)

    const printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", at("enveloped.der"))
    expect(printed).toContain(scheme)
    expect(printed).toContain("aes-256-cbc")
    // Nowhere is it in the clear.
    expect(Buffer.from(enveloped).includes(Buffer.from(key.subarray(-64, -32)))).toBe(false)
    openssl("genpkey", ...KEYS[kind], "-out", at("other.key"))
    expect(() => opened(enveloped, "-inkey", at("other.key"))).toThrow("Command failed")
  })

  it("is read by another library as what RFC 7030 wants", async () => {
    const own = await device("structure", "p256")
    const { enveloped } = partsOf(await keyFor(own, keyOf(own)))
    const outer = AsnConvert.parse(enveloped, ContentInfo)
    expect(outer.contentType).toBe("1.2.840.113549.1.7.3")
    const { version, recipientInfos, encryptedContentInfo } = AsnConvert.parse(outer.content, EnvelopedData)
    expect([version, recipientInfos.length]).toEqual([2, 1])
    expect(recipientInfos[0]?.kari?.originator.originatorKey?.algorithm.algorithm).toBe("1.2.840.10045.2.1")
    expect(encryptedContentInfo.contentType).toBe("1.2.840.113549.1.7.2")

    opened(enveloped, "-inkey", at("structure.key"), "-recip", at("structure.pem"))
    const signed = AsnConvert.parse(readFileSync(at("signed.der")), SignedData)
    expect(signed.version).toBe(3)
    expect(signed.signerInfos).toHaveLength(1)
    const [signer] = signed.certificates ?? []
    const made = parseCertificate(new Uint8Array(AsnConvert.serialize(signer?.certificate)))
    expect(made.extendedKeyUsage).toEqual(["1.3.6.1.5.5.7.3.32"])
    // It is no device of anybody's: the ledger does not know it.
    expect((await bed.net.verifier().checkCertificate(made.der)).status).toBe("unknown")
  })

  it("is encrypted with a shared secret, which openssl opens", async () => {
    const { csr } = await csrWith("secretive", [sharedKey(SECRET_NAME)])
    const { enveloped, certificate } = partsOf(await bed.enrol("serverkeygen", csr, { token: await token() }))
    const [secret, name] = [SECRET, SECRET_NAME].map((octets) => Buffer.from(octets).toString("hex"))
    const key = opened(enveloped, "-secretkey", secret ?? "", "-secretkeyid", name ?? "")
    expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
  })

  it("is encrypted as the device can read it", async () => {
    const own = await device("small", "p256")
    const asked = [keyOf(own), capabilities(TRIPLE_DES_CBC, AES_128_CBC)]
    const { enveloped, certificate } = partsOf(await keyFor(own, ...asked))
    const key = opened(enveloped, "-inkey", at("small.key"), "-recip", at("small.pem"))
    expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
    const printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", at("enveloped.der"))
    expect(printed).toContain("aes-128-cbc")
    const both = partsOf(await keyFor(own, keyOf(own), capabilities(AES_128_CBC, AES_256_CBC)))
    writeFileSync(at("both.der"), both.enveloped)
    expect(openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", at("both.der"))).toContain("aes-256-cbc")
  })

  it("is encrypted for the certificate of the connection, also where a token says who asks", async () => {
    const own = await device("proxy", "rsa")
    const text = await token()
    const { csr, signer } = await csrWith("behind a token", [keyOf(own)])
    const by = { token: text, certificate: own.certificate.der }
    const { enveloped, certificate } = partsOf(await bed.enrol("serverkeygen", csr, by))
    const key = opened(enveloped, "-inkey", at("proxy.key"), "-recip", at("proxy.pem"))
    expect(certificate.keyId).toBe((await signerFromPkcs8(key)).keyId)
    // Asked again it is the same key; asked without encryption it is another question, which the token is not for.
    const again = partsOf(await bed.enrol("serverkeygen", csr, by))
    expect(again.certificate.fingerprint).toBe(certificate.fingerprint)
    const { csr: plain } = await csrWith("behind a token", [], signer)
    expect([401, 409]).toContain((await bed.enrol("serverkeygen", plain, by)).status)
  })
})

describe("a key that cannot be encrypted as the request demands is not made", () => {
  const refused = async (answer: Promise<Answer>, word: string): Promise<void> => {
    const got = await answer
    expect([got.status, code(got)]).toEqual([400, "KEY_ENCRYPTION_UNSUPPORTED"])
    expect(got.text).toContain(word)
  }

  it("for a key that was not proved in this connection", async () => {
    const [own, other] = [await device("honest", "p256"), await device("victim", "p256")]
    await refused(keyFor(own, keyOf(other)), "no such key")
    const { csr } = await csrWith("nobody", [keyOf(other)])
    await refused(bed.enrol("serverkeygen", csr, { token: await token() }), "no such key")
  })

  it("for a certificate that is revoked", async () => {
    const own = await device("revoked", "p256")
    await bed.maker.revoke([{ subject: own.certificate.credentialHash }], { reason: 1 })
    await bed.catchUp()
    const { csr } = await csrWith("revoked too", [keyOf(own)])
    const answer = await bed.enrol("serverkeygen", csr, { token: await token(), certificate: own.certificate.der })
    expect([answer.status, code(answer)]).toEqual([403, "CLIENT_CERTIFICATE_REFUSED"])
  })

  it("for a key that may only sign, and one that can do nothing else", async () => {
    const kept = bed.context.labels[0]
    bed.use({})
    const own = await device("signing", "p256")
    await refused(keyFor(own, keyOf(own)), "keyAgreement")
    const rsa = await device("signing rsa", "rsa")
    await refused(keyFor(rsa, keyOf(rsa)), "keyEncipherment")
    bed.use(kept ?? {})
    const ed25519 = await device("edwards", "ed25519")
    await refused(keyFor(ed25519, keyOf(ed25519)), "nothing can be encrypted")
  })

  it("with a secret that nobody shares, two keys, or words that cannot be read", async () => {
    const own = await device("confused", "p256")
    await refused(keyFor(own, sharedKey(Uint8Array.of(7))), "no secret of this name")
    await refused(keyFor(own, sharedKey(SECRET_NAME), keyOf(own)), "two keys")
    await refused(keyFor(own, keyOf(own), keyOf(own)), "more than one")
    await refused(keyFor(own, certificateKey(new Uint8Array(0))), "0 octets")
    await refused(keyFor(own, attribute("0x060b2a864886f70d0109100236", derSequence())), "cannot be read")
    await refused(keyFor(own, keyOf(own), capabilities(TRIPLE_DES_CBC)), "neither")
    await refused(keyFor(own, keyOf(own), attribute("0x06092a864886f70d01090f", derElement(0x0c))), "cannot be read")
  })
})
