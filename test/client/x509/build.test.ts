import { X509Certificate } from "node:crypto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { fromHex, toHex } from "../../../client/crypto/hex.ts"
import { encodePublicKey } from "../../../client/crypto/publicKey.ts"
import { generateP256Key, signerFromPkcs8 } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { PublicKeyInvalidError } from "../../../client/errors/crypto.ts"
import { CertificateFieldError, DerError } from "../../../client/errors/x509.ts"
import { buildCertificate, buildCsr } from "../../../client/x509/build.ts"
import type { BuildCertificateParameters } from "../../../client/x509/build.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import { parseCsr, verifyCsr } from "../../../client/x509/csr.ts"
import { checkDeviceProfile } from "../../../client/x509/deviceProfile.ts"
import { encodePem, readOneCertificate } from "../../../client/x509/pem.ts"
import { encodePositionSerial } from "../../../client/x509/positionSerial.ts"
import { verifyCertificateSignature } from "../../../client/x509/verifyCertificate.ts"
import { expectSameFields } from "./crossCheck.ts"
import { makeOpensslFleet, OPENSSL_CASES } from "./fleetOfOpenssl.ts"
import { OpensslFolder } from "./openssl.ts"

const NOW = Math.floor(Date.now() / 1000)
const YEAR = 365 * 86_400
const crypto = defaultCrypto()
const issuerName = { commonName: "Bär Works CA", organization: "Bar Works" }
const serial = encodePositionSerial({
  chainId: 1n,
  registry: `0x${"12".repeat(20)}`,
  issuerKeyId: `0x${"34".repeat(32)}`,
  manufacturerId: 2,
  series: 2 ** 31,
  index: 0,
})

let folder: OpensslFolder
let caKey: KeySigner
let deviceKey: KeySigner
let caParameters: BuildCertificateParameters
let deviceParameters: BuildCertificateParameters

beforeAll(async () => {
  folder = new OpensslFolder()
  caKey = await generateP256Key()
  deviceKey = await generateP256Key()
  const validity = { notBefore: NOW - 60, notAfter: NOW + YEAR }
  const ca = { subject: issuerName, issuer: issuerName, spki: caKey.spki, signer: caKey, serial: Uint8Array.of(1) }
  caParameters = { ...ca, ...validity, ca: { pathLength: 0 } }

  const subject = { commonName: "device 1", serialNumber: "SN-0001" }
  const device = { subject, issuer: issuerName, spki: deviceKey.spki, signer: caKey, serial }
  const urls = {
    aiaOcsp: "http://ocsp.example/",
    aiaIssuers: "http://ca.example/ca.cer",
    crlUrl: "http://ca.example/ca.crl",
  }
  deviceParameters = { ...device, ...validity, ...urls, purposes: ["1.3.6.1.5.5.7.3.2"] }
})
afterAll(() => folder[Symbol.dispose]())

describe("buildCertificate", () => {
  it("makes a CA and a device certificate that openssl verifies strictly", async () => {
    folder.write("ca.pem", encodePem("CERTIFICATE", await buildCertificate(caParameters)))
    folder.write("device.pem", encodePem("CERTIFICATE", await buildCertificate(deviceParameters)))

    const strict = folder.attempt("verify", "-x509_strict", "-check_ss_sig", "-CAfile", "ca.pem", "device.pem")
    expect(strict).toEqual({ ok: true, output: "device.pem: OK\n" })
    expect(
      folder.attempt("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "device.pem").ok,
    ).toBe(true)
    expect(folder.attempt("verify", "-purpose", "sslserver", "-CAfile", "ca.pem", "device.pem").ok).toBe(false)
  })

  it("says what it was told, in openssl's eyes", async () => {
    folder.write("device.pem", encodePem("CERTIFICATE", await buildCertificate(deviceParameters)))
    const text = folder.run("x509", "-in", "device.pem", "-noout", "-text", "-nameopt", "RFC2253,utf8,-esc_msb")
    for (const part of [
      "Version: 3",
      "5f:00:00:00:02:80:00:00:00:00:00:00:00",
      "Issuer: CN=Bär Works CA,O=Bar Works",
      "Subject: serialNumber=SN-0001,CN=device 1",
      "CA:FALSE",
      "Digital Signature",
      "TLS Web Client Authentication",
      "OCSP - URI:http://ocsp.example/",
      "CA Issuers - URI:http://ca.example/ca.cer",
      "URI:http://ca.example/ca.crl",
    ]) {
      expect(text).toContain(part)
    }
  })

  it("is read back by us and by two others, verifies and conforms", async () => {
    const ca = parseCertificate(await buildCertificate(caParameters))
    const device = parseCertificate(await buildCertificate(deviceParameters))
    for (const certificate of [ca, device]) expectSameFields(certificate)
    expect(ca).toMatchObject({ isCa: true, pathLen: 0, keyUsage: ["keyCertSign", "cRLSign"] })
    expect(checkDeviceProfile(device)).toEqual([])
    expect(await verifyCertificateSignature(device, ca.spki, crypto)).toBe(true)
    expect(await verifyCertificateSignature(device, device.spki, crypto)).toBe(false)
    expect(toHex(device.serial)).toBe(toHex(serial))
    expect(device).toMatchObject({ notBefore: NOW - 60, notAfter: NOW + YEAR, keyId: deviceKey.keyId })
  })

  it("names the issuer's key id as authority key identifier, so that the ledger can be asked", async () => {
    const device = parseCertificate(await buildCertificate(deviceParameters))
    expect(toHex(device.authorityKeyIdentifier as Uint8Array)).toBe(caKey.keyId)
    expect(toHex(device.subjectKeyIdentifier as Uint8Array)).toBe(deviceKey.keyId)
  })

  for (const kind of OPENSSL_CASES.filter(({ name }) =>
    ["P-256", "P-384", "RSA-2048 PKCS#1", "Ed25519"].includes(name),
  )) {
    it(`signs below an existing CA of openssl, its name octet for octet: ${kind.name}`, async () => {
      makeOpensslFleet(folder, kind)
      const issuer = parseCertificate(readOneCertificate(folder.text("ca.pem")))
      const signer = await signerFromPkcs8(folder.text("ca.key"))
      const { issuer: _, ...rest } = deviceParameters

      const der = await buildCertificate({ ...rest, issuer, signer })

      folder.write("ours.pem", encodePem("CERTIFICATE", der))
      expect(folder.attempt("verify", "-x509_strict", "-CAfile", "ca.pem", "ours.pem")).toMatchObject({ ok: true })
      expect(toHex(parseCertificate(der).issuerDer)).toBe(toHex(issuer.subjectDer))
      const byName = await buildCertificate({ ...rest, issuer: issuer.subjectDer, signer })
      expect(toHex(parseCertificate(byName).issuerDer)).toBe(toHex(issuer.subjectDer))
      expect(await verifyCertificateSignature(parseCertificate(byName), signer.spki, crypto)).toBe(true)
    })
  }

  it("writes times on both sides of 2050 in their own form", async () => {
    const border = Date.UTC(2050, 0, 1) / 1000
    for (const [notBefore, notAfter] of [
      [border - 1, border],
      [border, border + 1],
      [0, 253_402_300_799],
      [-631_152_000, -1],
    ] as const) {
      const certificate = parseCertificate(await buildCertificate({ ...deviceParameters, notBefore, notAfter }))
      expect(certificate).toMatchObject({ notBefore, notAfter, validityInRightForm: true })
      expect(new X509Certificate(certificate.der).validToDate.getTime()).toBe(notAfter * 1000)
    }
  })

  it("lets a given extension take the place of a usual one", async () => {
    const value = fromHex("0x03020780")
    const extensions = [{ oid: "2.5.29.15", critical: false, value }]
    const certificate = parseCertificate(await buildCertificate({ ...deviceParameters, extensions }))
    expect(certificate.extensions.filter(({ oid }) => oid === "2.5.29.15")).toEqual(extensions)
    expect(checkDeviceProfile(certificate)).toEqual([])
  })

  const refused: [string, Partial<BuildCertificateParameters>][] = [
    ["an empty common name", { subject: { commonName: "" } }],
    ["a common name of 65 characters", { subject: { commonName: "x".repeat(65) } }],
    ["half a character", { subject: { commonName: "\ud800" } }],
    ["a serial attribute that is not printable", { subject: { commonName: "x", serialNumber: "ä" } }],
    ["an empty serial", { serial: new Uint8Array(0) }],
    ["serial zero", { serial: Uint8Array.of(0, 0) }],
    ["a serial of 21 octets", { serial: new Uint8Array(21).fill(1) }],
    ["a negative serial", { serial: Uint8Array.of(0x80) }],
    ["an end before its beginning", { notAfter: NOW - 61 }],
    ["a time that is NaN", { notAfter: Number.NaN }],
    ["half a second", { notBefore: 0.5 }],
    ["the year 1949", { notBefore: -631_152_001 }],
    ["the year 10000", { notAfter: 253_402_300_800 }],
    ["a URL of another scheme", { crlUrl: "javascript:alert(1)" }],
    ["a URL with a line break", { aiaOcsp: "http://a/\nb" }],
    ["a URL beyond ASCII", { aiaIssuers: "http://bär/" }],
    [
      "an extension twice",
      { extensions: [1, 2].map((n) => ({ oid: "1.2.3", critical: false, value: Uint8Array.of(5, 0, n) })) },
    ],
    ["an OID that is none", { extensions: [{ oid: "keyUsage", critical: false, value: Uint8Array.of(5, 0) }] }],
    ["a path length of -1", { ca: { pathLength: -1 } }],
  ]
  for (const [what, change] of refused) {
    it(`refuses ${what} by name`, async () => {
      await expect(buildCertificate({ ...deviceParameters, ...change })).rejects.toThrow(CertificateFieldError)
    })
  }

  it("refuses to sign with another key than that of the issuer's certificate", async () => {
    const issuer = parseCertificate(await buildCertificate(caParameters))
    const answer = buildCertificate({ ...deviceParameters, issuer, signer: deviceKey })
    await expect(answer).rejects.toThrow(CertificateFieldError)
  })

  it("lets nothing out that it would refuse to read", async () => {
    const issuer = fromHex("0x30020500")
    await expect(buildCertificate({ ...deviceParameters, issuer })).rejects.toThrow(DerError)
    await expect(buildCsr({ subject: issuer, signer: deviceKey })).rejects.toThrow(DerError)
    const extensions = [{ oid: "2.5.29.15", critical: true, value: fromHex("0x0500") }]
    await expect(buildCertificate({ ...deviceParameters, extensions })).rejects.toThrow(DerError)
  })

  it("refuses to certify a key that is not sound", async () => {
    const spki = encodePublicKey("p256", new Uint8Array(65).fill(4))
    await expect(buildCertificate({ ...deviceParameters, spki })).rejects.toThrow(PublicKeyInvalidError)
  })
})

describe("buildCsr", () => {
  const kinds = ["P-256", "P-384", "RSA-2048 PKCS#1", "Ed25519"]
  for (const kind of OPENSSL_CASES.filter(({ name }) => kinds.includes(name))) {
    it(`makes a request that openssl verifies: ${kind.name}`, async () => {
      folder.run("genpkey", ...kind.key, "-out", "csr.key")
      const signer = await signerFromPkcs8(folder.text("csr.key"))

      const der = await buildCsr({ subject: { commonName: "device 1" }, signer })

      folder.write("ours.csr", encodePem("CERTIFICATE REQUEST", der))
      expect(folder.attempt("req", "-in", "ours.csr", "-verify", "-noout").ok).toBe(true)
      const csr = parseCsr(der)
      expect(csr).toMatchObject({ keyId: signer.keyId, keyAlgorithm: kind.keyAlgorithm, attributes: [] })
      expect(await verifyCsr(csr, crypto)).toBe(true)
    })
  }

  it("asks for extensions in a way that openssl understands", async () => {
    const extensions = [{ oid: "2.5.29.17", critical: false, value: fromHex("0x300382016a") }]
    const der = await buildCsr({ subject: { commonName: "a" }, signer: deviceKey, extensions })
    folder.write("asks.csr", encodePem("CERTIFICATE REQUEST", der))
    expect(folder.run("req", "-in", "asks.csr", "-noout", "-text")).toContain("DNS:j")
    expect(parseCsr(der).requestedExtensions).toEqual(extensions)
  })

  it("is of no use to another key, or after a change of any octet", async () => {
    const der = await buildCsr({ subject: { commonName: "a" }, signer: deviceKey })
    const csr = parseCsr(der)
    expect(await verifyCsr({ ...csr, spki: caKey.spki }, crypto)).toBe(false)
    for (let at = 0; at < csr.info.length; at++) {
      const info = csr.info.slice()
      info[at] = (info[at] as number) ^ 1
      expect(await verifyCsr({ ...csr, info }, crypto)).toBe(false)
    }
  })
})
