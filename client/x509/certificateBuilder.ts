import { CertificateFieldError } from "../errors/x509.ts"
import { derBitString, derElement, derSequence, derUnsigned } from "../crypto/derWriter.ts"
import { ecdsaRawToDer } from "../crypto/ecdsa.ts"
import { fromHex, toHex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { parsePublicKey } from "../crypto/publicKey.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { DER } from "../crypto/strictDer.ts"
import { signatureAlgorithmIdentifier } from "./algorithms.ts"
import { parseCertificate } from "./certificate.ts"
import type { Certificate } from "./certificate.ts"
import { parseCsr } from "./csr.ts"
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoint,
  extendedKeyUsage,
  freshestCrl,
  keyUsage,
  subjectKeyIdentifier,
} from "./extensionEncoding.ts"
import { encodeExtensions } from "./encodeExtensions.ts"
import type { CertificateExtension } from "./extensions.ts"
import { encodeName } from "./nameEncoding.ts"
import type { SubjectName } from "./nameEncoding.ts"

/** What a new certificate shall say. */
export type BuildCertificateParameters = {
  subject: SubjectName | Uint8Array
  /** The issuer's certificate, its Name in DER, or its name; for a self-signed one the same as `subject`. */
  issuer: SubjectName | Uint8Array | Certificate
  /** The subject's key: DER SubjectPublicKeyInfo. */
  spki: Uint8Array
  /** The issuer's key. */
  signer: KeySigner
  /** 1 to 20 octets, big-endian, positive: a position serial, or random octets below 0x80. */
  serial: Uint8Array
  /** Unix seconds, inclusive. */
  notBefore: number
  /** Unix seconds, inclusive. */
  notAfter: number
  /** More extensions, behind the usual ones; one with the OID of a usual one takes its place. */
  extensions?: readonly CertificateExtension[]
  /** True, or a path length, for a CA certificate. */
  ca?: boolean | { pathLength: number }
  /** Purposes of the key, as dotted OIDs. Default: no such extension. */
  purposes?: readonly string[]
  /** The issuer's key identifier. Default: that of `issuer` when it is a certificate that has one, else the signer's key id. */
  issuerKeyIdentifier?: Uint8Array
  /** URL of the OCSP responder. */
  aiaOcsp?: string
  /** URL of the issuer's certificate. */
  aiaIssuers?: string
  /** URL of the issuer's CRL. */
  crlUrl?: string
  /** URL of the issuer's delta CRL. */
  deltaCrlUrl?: string
}

const V3 = derElement(0xa0, derUnsigned(Uint8Array.of(2)))
const FIRST_TIME = Date.UTC(1950, 0, 1) / 1000
const FIRST_GENERALIZED_TIME = Date.UTC(2050, 0, 1) / 1000
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000

/** What `buildCertificate` does. */
export async function buildCertificate(parameters: BuildCertificateParameters): Promise<Uint8Array> {
  const { subject, issuer, spki, signer, serial, notBefore, notAfter } = parameters
  parsePublicKey(spki)
  assertSerial(serial)
  if (!(notBefore <= notAfter)) {
    throw new CertificateFieldError({
      field: "notAfter",
      value: String(notAfter),
      allowed: `notBefore (${notBefore}) or later`,
    })
  }
  assertSignerOf(issuer, signer)
  const algorithm = signatureAlgorithmIdentifier(signer.algorithm)
  const tbs = derSequence(
    V3,
    derUnsigned(serial),
    algorithm,
    nameOf(issuer),
    derSequence(encodeTime("notBefore", notBefore), encodeTime("notAfter", notAfter)),
    nameOf(subject),
    spki,
    derElement(0xa3, encodeExtensions(allExtensions(parameters))),
  )
  const certificate = await signed(tbs, algorithm, signer)
  // A Name, an extension or a signature from outside may be wrong: nothing leaves that we would refuse to read.
  parseCertificate(certificate)
  return certificate
}

/** What a new certificate request shall say. */
export type BuildCsrParameters = {
  subject: SubjectName | Uint8Array
  signer: KeySigner
  /** What the certificate is asked to carry (extensionRequest). */
  extensions?: readonly CertificateExtension[]
}

/** What `buildCsr` does. */
export async function buildCsr(parameters: BuildCsrParameters): Promise<Uint8Array> {
  const { subject, signer, extensions = [] } = parameters
  const requests = extensions.length === 0 ? [] : [extensionRequest(extensions)]
  const info = derSequence(derUnsigned(Uint8Array.of(0)), nameOf(subject), signer.spki, derElement(0xa0, ...requests))
  const csr = await signed(info, signatureAlgorithmIdentifier(signer.algorithm), signer)
  parseCsr(csr)
  return csr
}

async function signed(content: Uint8Array, algorithm: Uint8Array, signer: KeySigner): Promise<Uint8Array> {
  const signature = await signer.sign(content)
  const ecdsa = signer.algorithm === "p256" || signer.algorithm === "p384"
  return derSequence(content, algorithm, derBitString(ecdsa ? ecdsaRawToDer(signature) : signature))
}

function allExtensions(parameters: BuildCertificateParameters): CertificateExtension[] {
  const { extensions = [], ca = false, purposes, aiaOcsp, aiaIssuers, crlUrl, deltaCrlUrl } = parameters
  const usual = [
    basicConstraints(typeof ca === "object" ? { ca: true, pathLength: assertPathLength(ca.pathLength) } : { ca }),
    keyUsage(ca === false ? ["digitalSignature"] : ["keyCertSign", "cRLSign"]),
    subjectKeyIdentifier(fromHex(keyIdOf(parameters.spki))),
    authorityKeyIdentifier(issuerKeyIdentifierOf(parameters)),
  ]
  if (purposes !== undefined) usual.push(extendedKeyUsage(purposes))
  if (aiaOcsp !== undefined || aiaIssuers !== undefined) {
    usual.push(
      authorityInfoAccess({
        ...(aiaOcsp === undefined ? {} : { ocsp: aiaOcsp }),
        ...(aiaIssuers === undefined ? {} : { issuers: aiaIssuers }),
      }),
    )
  }
  if (crlUrl !== undefined) usual.push(crlDistributionPoint(crlUrl))
  if (deltaCrlUrl !== undefined) usual.push(freshestCrl(deltaCrlUrl))

  const replaced = new Set(extensions.map(({ oid }) => oid))
  return [...usual.filter(({ oid }) => !replaced.has(oid)), ...extensions]
}

function issuerKeyIdentifierOf({ issuer, signer, issuerKeyIdentifier }: BuildCertificateParameters): Uint8Array {
  if (issuerKeyIdentifier !== undefined) return issuerKeyIdentifier
  const ofCertificate = isCertificate(issuer) ? issuer.subjectKeyIdentifier : undefined
  return ofCertificate ?? fromHex(signer.keyId)
}

function nameOf(name: SubjectName | Uint8Array | Certificate): Uint8Array {
  if (name instanceof Uint8Array) return name
  return isCertificate(name) ? name.subjectDer : encodeName(name)
}

function isCertificate(issuer: SubjectName | Uint8Array | Certificate): issuer is Certificate {
  return "subjectDer" in issuer
}

function extensionRequest(extensions: readonly CertificateExtension[]): Uint8Array {
  // 1.2.840.113549.1.9.14, RFC 2985, 5.4.2.
  const oid = derElement(DER.oid, fromHex("0x2a864886f70d01090e"))
  return derSequence(oid, derElement(DER.set, encodeExtensions(extensions)))
}

function assertSignerOf(issuer: SubjectName | Uint8Array | Certificate, signer: KeySigner): void {
  if (issuer instanceof Uint8Array || !isCertificate(issuer) || issuer.keyId === signer.keyId) return
  const allowed = `the key of the issuer's certificate, ${issuer.keyId}`
  throw new CertificateFieldError({ field: "signer", value: signer.keyId, allowed })
}

// RFC 5280, 4.1.2.2.
function assertSerial(serial: Uint8Array): void {
  const positive = serial.length > 0 && (serial[0] as number) < 0x80 && serial.some((octet) => octet !== 0)
  if (positive && serial.length <= 20) return
  throw new CertificateFieldError({ field: "serial", value: toHex(serial), allowed: "1 to 20 octets, positive" })
}

function assertPathLength(pathLength: number): number {
  if (Number.isInteger(pathLength) && pathLength >= 0 && pathLength <= 255) return pathLength
  throw new CertificateFieldError({ field: "pathLength", value: String(pathLength), allowed: "an integer in 0..255" })
}

// RFC 5280, 4.1.2.5.
function encodeTime(field: string, seconds: number): Uint8Array {
  if (!Number.isInteger(seconds) || seconds < FIRST_TIME || seconds > LAST_TIME) {
    throw new CertificateFieldError({
      field,
      value: String(seconds),
      allowed: "whole Unix seconds in the years 1950 to 9999",
    })
  }
  const text = new Date(seconds * 1000).toISOString().replace(/[-:T]|\.000/g, "")
  const generalized = seconds >= FIRST_GENERALIZED_TIME
  const octets = new TextEncoder().encode(generalized ? text : text.slice(2))
  return derElement(generalized ? DER.generalizedTime : DER.utcTime, octets)
}
