import { verifyRawPublicKey } from "../cose/rawPublicKey.ts"
import { fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import { FleetFileError, FleetHeaderError, FleetRowError } from "../errors/batch.ts"
import type { BatchFinding, BatchFindingCode } from "../errors/batch.ts"
import { RawPublicKeySignatureError } from "../errors/cose.ts"
import { AlgorithmUnsupportedError } from "../errors/crypto.ts"
import { PemBlockMissingError, PemBlocksManyError } from "../errors/x509.ts"
import type { CredentialKind } from "../merkle/manifest.ts"
import { HASH_BYTES } from "../merkle/limits.ts"
import { MAX_TIME } from "../merkle/place.ts"
import { parseCertificate } from "../x509/certificate.ts"
import type { Certificate } from "../x509/certificate.ts"
import { parseCsr, verifyCsr } from "../x509/csr.ts"
import { checkDeviceProfile } from "../x509/deviceProfile.ts"
import { decodePositionSerial, positionSerialMatches } from "../x509/positionSerial.ts"
import type { Position } from "../x509/positionSerial.ts"
import { verifyCertificateSignature } from "../x509/verifyCertificate.ts"
import type { BatchRow, CertificateRow, HashRow } from "./batchRow.ts"

/** What a row is judged by, on its own. */
export type RowRules = {
  kind: CredentialKind
  crypto: CryptoBackend
  chainId: bigint
  registry: Hex
  issuer: { keyId: Hex; spki: Uint8Array }
  /** Unix seconds. */
  now: number
  /** For rows that give none, in Unix seconds. */
  notAfter: number | undefined
}

/** What was seen of a device: nothing but a hash, its credential, or also that it holds its key. */
export type RowEvidence = "hash" | "credential" | "possession"

/** A row that breaks no rule by itself. */
export type SoundRow = {
  source: string
  credentialHash: Uint8Array
  deviceKeyId: Uint8Array | undefined
  notAfter: number
  /** The place that its serial number names. */
  position: Position | undefined
  evidence: RowEvidence
}

export type UnsoundRow = Omit<BatchFinding, "row">
export type JudgedRow = SoundRow | UnsoundRow

export function isSound(row: JudgedRow): row is SoundRow {
  return "credentialHash" in row
}

/**
 * Judges a row on its own: everything but duplicates and order. At once where no signature is to be checked.
 *
 * @throws {@link AlgorithmUnsupportedError} when this platform cannot check the signatures: no answer about any row.
 */
export function judgeRow(row: BatchRow, rules: RowRules): JudgedRow | Promise<JudgedRow> {
  if (typeof row !== "object" || row === null || typeof row.source !== "string") {
    return invalid("(row without a source)", "row", "is not of a shape that rows have")
  }
  const { source } = row
  if ("error" in row) return fromError(source, row.error)
  if ("credentialHash" in row) return judgeHash(row, rules)
  if (!("der" in row)) return invalid(source, "row", "holds neither a credential nor its hash")
  return rules.kind === "x509" ? judgeCertificate(row, rules) : judgeRawPublicKey(row, rules)
}

async function judgeCertificate({ source, der, csr }: CertificateRow, rules: RowRules): Promise<JudgedRow> {
  const { issuer, crypto } = rules
  let certificate: Certificate
  try {
    certificate = parseCertificate(der)
  } catch (error) {
    return fromError(source, error)
  }
  const unfit = profileFinding(source, certificate)
  if (unfit !== undefined) return unfit
  if (certificate.keyId === issuer.keyId) {
    return { code: "issuerCertificate", source, message: "It certifies the issuer key itself, not a device's." }
  }
  if (!(await verifyCertificateSignature(certificate, issuer.spki, crypto))) {
    return { code: "wrongIssuer", source, message: `It was not signed by issuer key ${issuer.keyId}, or was changed.` }
  }
  return (
    timeFinding(source, certificate.notAfter, rules) ??
    (csr === undefined ? undefined : await possessionFinding(source, certificate, csr, crypto)) ?? {
      source,
      credentialHash: fromHex(certificate.credentialHash),
      deviceKeyId: fromHex(certificate.keyId),
      notAfter: certificate.notAfter,
      position: positionOf(certificate.serial, rules),
      evidence: csr === undefined ? "credential" : "possession",
    }
  )
}

async function possessionFinding(
  source: string,
  { keyId }: Certificate,
  csr: Uint8Array,
  crypto: CryptoBackend,
): Promise<UnsoundRow | undefined> {
  const code = "possessionUnproven"
  try {
    const request = parseCsr(csr)
    if (request.keyId !== keyId) {
      return { code, source, message: `Its request is for key ${request.keyId}, the certificate for ${keyId}.` }
    }
    if (await verifyCsr(request, crypto)) return undefined
    return { code, source, message: "Its request was not signed by the key in it." }
  } catch (error) {
    return { ...fromError(source, error), code }
  }
}

async function judgeRawPublicKey({ source, der: bytes }: CertificateRow, rules: RowRules): Promise<JudgedRow> {
  try {
    const { credentialHash, keyId, notAfter } = await verifyRawPublicKey(bytes, rules.crypto)
    return (
      timeFinding(source, notAfter, rules) ?? {
        source,
        credentialHash: fromHex(credentialHash),
        deviceKeyId: fromHex(keyId),
        notAfter,
        position: undefined,
        evidence: "possession",
      }
    )
  } catch (error) {
    return fromError(source, error)
  }
}

function judgeHash(row: HashRow, rules: RowRules): JudgedRow {
  const { source } = row
  const credentialHash = hashOf(row.credentialHash)
  if (credentialHash === undefined) return invalid(source, "credentialHash", "is not 32 bytes")
  if (credentialHash.every((byte) => byte === 0)) return invalid(source, "credentialHash", "is zero")
  const deviceKeyId = row.deviceKeyId === undefined ? undefined : hashOf(row.deviceKeyId)
  if (row.deviceKeyId !== undefined && deviceKeyId === undefined)
    return invalid(source, "deviceKeyId", "is not 32 bytes")

  const notAfter = row.notAfter ?? rules.notAfter
  if (notAfter === undefined) {
    const message = "It says no notAfter, and no default was given."
    return { code: "notAfterMissing", source, message }
  }
  if (!Number.isSafeInteger(notAfter) || notAfter < 1 || notAfter > MAX_TIME) {
    return invalid(source, "notAfter", `is not an integer in 1..${MAX_TIME}`)
  }
  return (
    timeFinding(source, notAfter, rules) ?? {
      source,
      credentialHash,
      deviceKeyId,
      notAfter,
      position: undefined,
      evidence: "hash",
    }
  )
}

/** A CA certificate breaks several rules of the profile; that it is one is what a person wants to hear. */
function profileFinding(source: string, certificate: Certificate): UnsoundRow | undefined {
  const findings = checkDeviceProfile(certificate)
  const finding = findings.find(({ code }) => code === "caCertificate") ?? findings[0]
  if (finding === undefined) return undefined
  const code = finding.code === "caCertificate" ? "caCertificate" : "profileUnfit"
  return { code, source, message: finding.message, detail: finding.code }
}

// RFC 5280, 4.1.2.5: notAfter is the last second in which it counts.
function timeFinding(source: string, notAfter: number, { now }: RowRules): UnsoundRow | undefined {
  if (notAfter >= now) return undefined
  return { code: "expired", source, message: `It ended at ${timeText(notAfter)}.` }
}

function positionOf(serial: Uint8Array, { chainId, registry, issuer }: RowRules): Position | undefined {
  const position = decodePositionSerial(serial)
  if (position === undefined) return undefined
  return positionSerialMatches(serial, { chainId, registry, issuerKeyId: issuer.keyId }) ? position : undefined
}

/** What the row could not be read for. Errors that are not ours are defects, and no platform's lack is a row's fault. */
function fromError(source: string, error: unknown): UnsoundRow {
  if (!(error instanceof FleetrootError) || error instanceof AlgorithmUnsupportedError) throw error
  return { code: codeOf(error), source, message: error.message, detail: error.code }
}

function codeOf(error: FleetrootError): BatchFindingCode {
  if (error instanceof PemBlockMissingError) return "pemBlockMissing"
  if (error instanceof PemBlocksManyError) return "pemBlocksMany"
  if (error instanceof FleetFileError) return "fileUnfit"
  if (error instanceof FleetRowError || error instanceof FleetHeaderError) return "rowInvalid"
  if (error instanceof RawPublicKeySignatureError) return "possessionUnproven"
  return "malformed"
}

function invalid(source: string, field: string, reason: string): UnsoundRow {
  return fromError(source, new FleetRowError({ field, reason }))
}

function hashOf(value: Hex | Uint8Array): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value.length === HASH_BYTES ? value : undefined
  return /^0x[0-9a-f]{64}$/i.test(value) ? fromHex(value) : undefined
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000", "")
}
