import { createHash, X509Certificate } from "node:crypto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import { nativeCrypto } from "../../../client/crypto/nativeCrypto.ts"
import { nobleCrypto } from "../../../client/crypto/nobleCrypto.ts"
import { webCrypto } from "../../../client/crypto/webCrypto.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import type { Certificate } from "../../../client/x509/certificate.ts"
import { parseCsr, verifyCsr } from "../../../client/x509/csr.ts"
import { checkDeviceProfile } from "../../../client/x509/deviceProfile.ts"
import { keyIdentifiersOf } from "../../../client/x509/keyIdentifiers.ts"
import { readOneCertificate, readOneCsr } from "../../../client/x509/pem.ts"
import { verifyCertificateSignature } from "../../../client/x509/verifyCertificate.ts"
import { expectSameFields } from "./crossCheck.ts"
import { makeOpensslFleet, OPENSSL_CASES } from "./fleetOfOpenssl.ts"
import { OpensslFolder } from "./openssl.ts"

const backends = [nativeCrypto, webCrypto, nobleCrypto].filter((backend) => backend !== undefined)

describe.each(OPENSSL_CASES)("a CA and a device certificate made by openssl: $name", (kind) => {
  const folder = new OpensslFolder()
  let ca: Certificate
  let device: Certificate

  beforeAll(() => {
    makeOpensslFleet(folder, kind)
    ca = parseCertificate(readOneCertificate(folder.text("ca.pem")))
    device = parseCertificate(readOneCertificate(folder.bytes("device.pem")))
  })
  afterAll(() => folder[Symbol.dispose]())

  it("are read: version, algorithms, constraints, usages, identifiers", () => {
    expect(ca).toMatchObject({ version: 3, isCa: true, keyUsage: ["keyCertSign", "cRLSign"] })
    expect(device).toMatchObject({
      version: 3,
      isCa: false,
      keyAlgorithm: kind.keyAlgorithm,
      signatureAlgorithm: kind.signatureAlgorithm,
      keyUsage: ["digitalSignature", "keyAgreement"],
      extendedKeyUsage: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"],
    })
    expect(device.notAfter - device.notBefore).toBe(365 * 86_400)
    expect(toHex(device.issuerDer)).toBe(toHex(ca.subjectDer))
    expect(device.authorityKeyIdentifier).toEqual(ca.subjectKeyIdentifier)
    expect(keyIdentifiersOf(ca.spki)[0], "openssl's hash method").toBe(
      toHex(device.authorityKeyIdentifier as Uint8Array),
    )
  })

  it("verify on every back end, and with no other key", async () => {
    for (const backend of backends) {
      expect(await verifyCertificateSignature(device, ca.spki, backend)).toBe(true)
      expect(await verifyCertificateSignature(ca, ca.spki, backend)).toBe(true)
      expect(await verifyCertificateSignature(device, device.spki, backend)).toBe(false)
      const tbs = device.tbs.slice()
      tbs[20] = (tbs[20] as number) ^ 1
      expect(await verifyCertificateSignature({ ...device, tbs }, ca.spki, backend)).toBe(false)
    }
  })

  it("conform to the device profile, but for the CA's, which says so", () => {
    expect(checkDeviceProfile(device)).toEqual([])
    expect(checkDeviceProfile(ca).map(({ code }) => code)).toEqual(["caCertificate", "keyUsageOfCa", "keyUsageUnfit"])
  })

  it("have the fingerprint and the key id that openssl prints", () => {
    const fingerprint = folder.run("x509", "-in", "device.pem", "-noout", "-fingerprint", "-sha256")
    expect(device.fingerprint).toBe(
      `0x${(fingerprint.split("=")[1] as string).trim().replaceAll(":", "").toLowerCase()}`,
    )

    folder.run("pkey", "-in", "device.key", "-pubout", "-outform", "DER", "-out", "device.spki")
    const digest = folder.run("dgst", "-sha256", "-r", "device.spki")
    expect(device.keyId).toBe(`0x${digest.slice(0, 64)}`)
    expect(toHex(device.spki)).toBe(toHex(folder.bytes("device.spki")))
  })

  it("have as credential hash the SHA-256 of what openssl says was signed", () => {
    folder.run("x509", "-in", "device.pem", "-outform", "DER", "-out", "device.der")
    const length = device.tbs.length
    folder.run("asn1parse", "-inform", "DER", "-in", "device.der", "-strparse", "4", "-noout", "-out", "device.tbs")
    const tbs = folder.bytes("device.tbs")
    expect(tbs).toHaveLength(length)
    expect(device.credentialHash).toBe(`0x${createHash("sha256").update(tbs).digest("hex")}`)
  })

  it("mean the same to @peculiar/asn1-x509 and to Node's X509Certificate", () => {
    for (const certificate of [ca, device]) {
      expectSameFields(certificate)
      expect(new X509Certificate(certificate.der).ca).toBe(certificate.isCa)
    }
  })

  it("come with a request that is read and proves possession", async () => {
    const csr = parseCsr(readOneCsr(folder.text("device.csr")))
    expect(csr.keyId).toBe(device.keyId)
    expect(toHex(csr.subjectDer)).toBe(toHex(device.subjectDer))
    for (const backend of backends) {
      expect(await verifyCsr(csr, backend)).toBe(true)
      expect(await verifyCsr({ ...csr, spki: ca.spki }, backend)).toBe(false)
      expect(await verifyCsr({ ...csr, info: csr.info.slice(1) }, backend)).toBe(false)
    }
  })
})

describe("what openssl makes in other ways", () => {
  const folder = new OpensslFolder()
  beforeAll(() => makeOpensslFleet(folder, OPENSSL_CASES[0] as (typeof OPENSSL_CASES)[number]))
  afterAll(() => folder[Symbol.dispose]())

  it("is good as v1 too, as `x509 -req` without extensions writes it", async () => {
    const sign = ["x509", "-req", "-in", "device.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7"]
    folder.run(...sign, "-days", "30", "-out", "v1.pem")
    const certificate = parseCertificate(readOneCertificate(folder.text("v1.pem")))
    // OpenSSL from 3.2 on writes v3 here.
    if (certificate.version === 1) expect(certificate.extensions).toEqual([])
    expect(certificate.serial).toEqual(Uint8Array.of(7))
    expect(checkDeviceProfile(certificate)).toEqual([])
    const ca = parseCertificate(readOneCertificate(folder.text("ca.pem")))
    expect(await verifyCertificateSignature(certificate, ca.spki, nobleCrypto)).toBe(true)
  })

  it("keeps dates beyond 2049 and a text in front of the block", () => {
    const sign = ["x509", "-req", "-in", "device.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "8"]
    folder.run(...sign, "-days", "20000", "-text", "-out", "long.pem")
    const certificate = parseCertificate(readOneCertificate(folder.text("long.pem")))
    expect(certificate.notAfter - certificate.notBefore).toBe(20_000 * 86_400)
    expect(certificate.notAfter).toBe(Date.parse(new X509Certificate(folder.text("long.pem")).validTo) / 1000)
    expect(checkDeviceProfile(certificate)).toEqual([])
  })

  it("with PSS and a salt that is not as long as the hash is an algorithm with wrong parameters", async () => {
    folder.run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.key")
    const pss = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"]
    folder.run("req", "-x509", "-new", "-key", "rsa.key", "-subj", "/CN=x", "-out", "salt.pem", ...pss)
    const certificate = parseCertificate(readOneCertificate(folder.text("salt.pem")))
    expect(certificate.signatureAlgorithm).toBeUndefined()
    expect(checkDeviceProfile(certificate)[0]?.code).toBe("signatureParametersWrong")
    expect(await verifyCertificateSignature(certificate, certificate.spki, nobleCrypto)).toBe(false)
  })

  it("with SHA-1, P-521 or an RSA-PSS key is parsed, and refused by the profile", () => {
    const made: [string[], string[], string][] = [
      [["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-sha1"], "signatureAlgorithmUnknown"],
      [["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], [], "keyAlgorithmUnknown"],
      [
        ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
        ["-sigopt", "rsa_pss_saltlen:32"],
        "keyAlgorithmUnknown",
      ],
      [["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], [], "publicKeyInvalid"],
      [["-algorithm", "ed448"], [], "signatureAlgorithmUnknown"],
    ]
    for (const [key, signing, code] of made) {
      folder.run("genpkey", ...key, "-out", "odd.key")
      folder.run("req", "-x509", "-new", "-key", "odd.key", "-subj", "/CN=x", "-out", "odd.pem", ...signing)
      const certificate = parseCertificate(readOneCertificate(folder.text("odd.pem")))
      expect(checkDeviceProfile(certificate).map((finding) => finding.code)).toContain(code)
    }
  })

  it("as a request carries the extensions that it asks for", () => {
    const ask = ["-addext", "subjectAltName=DNS:a.example", "-addext", "keyUsage=critical,digitalSignature"]
    folder.run("req", "-new", "-key", "device.key", "-subj", "/CN=a", "-out", "ask.csr", ...ask)
    const { requestedExtensions } = parseCsr(readOneCsr(folder.text("ask.csr")))
    expect(requestedExtensions.map(({ oid, critical }) => [oid, critical])).toEqual([
      ["2.5.29.17", false],
      ["2.5.29.15", true],
    ])
    const old = folder.run("req", "-new", "-newhdr", "-key", "device.key", "-subj", "/CN=a")
    expect(parseCsr(readOneCsr(old)).requestedExtensions).toEqual([])
  })
})
