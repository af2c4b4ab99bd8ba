import { X509Certificate } from "node:crypto"
import { AsnConvert } from "@peculiar/asn1-schema"
import { Certificate as PeculiarCertificate, id_ce_basicConstraints, BasicConstraints } from "@peculiar/asn1-x509"
import { expect } from "vitest"
import { toHex } from "../../../client/crypto/hex.ts"
import type { Certificate } from "../../../client/x509/certificate.ts"

const hex = (buffer: ArrayBuffer) => toHex(new Uint8Array(buffer))

/** What two other readers make of the same bytes must be what ours made of them. */
export function expectSameFields(certificate: Certificate): void {
  expectSameAsPeculiar(certificate)
  expectSameAsOpenssl(certificate)
}

/** @peculiar/asn1-x509, field by field. */
export function expectSameAsPeculiar(ours: Certificate): void {
  const { tbsCertificate: tbs, signatureValue } = AsnConvert.parse(ours.der, PeculiarCertificate)
  expect(tbs.version + 1).toBe(ours.version)
  expect(hex(tbs.serialNumber)).toBe(toHex(ours.serial))
  expect(tbs.validity.notBefore.getTime().getTime()).toBe(ours.notBefore * 1000)
  expect(tbs.validity.notAfter.getTime().getTime()).toBe(ours.notAfter * 1000)
  expect(hex(signatureValue)).toBe(toHex(ours.signatureValue))
  expect(toHex(ours.spki).endsWith(hex(tbs.subjectPublicKeyInfo.subjectPublicKey).slice(2))).toBe(true)

  const extensions = (tbs.extensions ?? []).map(({ extnID, critical, extnValue }) => [
    extnID,
    critical,
    hex(extnValue.buffer),
  ])
  expect(extensions).toEqual(ours.extensions.map(({ oid, critical, value }) => [oid, critical, toHex(value)]))
  const constraints = tbs.extensions?.filter(({ extnID }) => extnID === id_ce_basicConstraints) ?? []
  const isCa = constraints.some(({ extnValue }) => AsnConvert.parse(extnValue, BasicConstraints).cA)
  expect(isCa).toBe(ours.isCa)
}

/** OpenSSL through Node, field by field. */
export function expectSameAsOpenssl(ours: Certificate): void {
  const theirs = new X509Certificate(ours.der)
  expect(toHex(theirs.raw)).toBe(toHex(ours.der))
  expect(theirs.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(ours.fingerprint.slice(2))
  expect(BigInt(`0x${theirs.serialNumber.replace("-", "")}`)).toBe(magnitude(ours.serial))
  expect(theirs.validFromDate.getTime()).toBe(ours.notBefore * 1000)
  expect(theirs.validToDate.getTime()).toBe(ours.notAfter * 1000)
}

function magnitude(serial: Uint8Array): bigint {
  const value = BigInt.asIntN(serial.length * 8, BigInt(toHex(serial)))
  return value < 0n ? -value : value
}
