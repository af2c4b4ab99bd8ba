import type { Certificate, Hex, LedgerKey, LedgerView, Subject } from "../../../client/index.ts"
import { CertificateForeignError, FingerprintGivenError, UsageError } from "../cliError.ts"
import type { OpenLedger } from "../openLedger.ts"
import { readCertificate } from "./certificateFile.ts"
import type { OpenReceipts } from "./receiptSources.ts"

/** What a command is to mark: a credential, and what is known of it. */
export type MarkTarget = {
  /** The file, or the hash as it was typed. */
  readonly given: string
  readonly subject: Subject
  /** Undefined when only the hash was given: then nobody checked that there is such a credential. */
  readonly certificate: Certificate | undefined
}

const HASH = /^(?:0x)?[0-9a-fA-F]{64}$/
/** As openssl prints it: "sha256 Fingerprint=AB:CD:…", with or without the words. */
const FINGERPRINT = /^(?:.*Fingerprint=)?(?:[0-9a-fA-F]{2}:){19,31}[0-9a-fA-F]{2}$/

/** Refuses a hash where a certificate is needed: nobody can check a certificate's validity by its hash. */
export function refuseHash(given: string): void {
  if (FINGERPRINT.test(given)) throw new FingerprintGivenError({ given })
  if (!HASH.test(given)) return
  throw new UsageError(`${given} is a hash; a status needs the certificate itself.`, {
    hint: "Give the certificate's file: its signature and its validity are in it, not on the ledger.",
  })
}

/**
 * Reads what is to be marked: certificate files, or credential hashes in hex. A certificate must be signed by a key of this
 * manufacturer, for elsewhere the mark would do nothing.
 *
 * @throws FingerprintGivenError, CertificateForeignError, and what reading a certificate throws
 */
export async function readMarkTargets(
  open: OpenLedger,
  manufacturerId: number,
  given: readonly string[],
  receipts: OpenReceipts,
): Promise<MarkTarget[]> {
  const view = await open.ledger.at("latest")
  const issuers = await issuerKeys(open, view, manufacturerId)
  return Promise.all(given.map((text) => readTarget(open, manufacturerId, issuers, text, receipts)))
}

async function readTarget(
  open: OpenLedger,
  manufacturerId: number,
  issuers: readonly LedgerKey[],
  given: string,
  receipts: OpenReceipts,
): Promise<MarkTarget> {
  if (FINGERPRINT.test(given)) throw new FingerprintGivenError({ given })
  if (HASH.test(given)) {
    const hash: Hex = `0x${given.replace(/^0x/, "").toLowerCase()}`
    const subject = await withPlace(open, manufacturerId, hash, undefined, receipts)
    return { given, subject, certificate: undefined }
  }
  const certificate = await readCertificate(open, given)
  const issuer = await findIssuer(open, certificate, issuers)
  if (issuer === undefined) throw new CertificateForeignError({ file: given, manufacturerId })
  const origin = { serial: certificate.serial, issuerKeyId: issuer.keyId }
  const subject = await withPlace(open, manufacturerId, certificate.credentialHash, origin, receipts)
  return { given, subject, certificate }
}

async function issuerKeys(
  { client, ledger }: OpenLedger,
  view: LedgerView,
  manufacturerId: number,
): Promise<LedgerKey[]> {
  if ((await view.manufacturer(manufacturerId)) === undefined) {
    throw new client.ManufacturerUnknownError({ manufacturerId })
  }
  const keys = await client.listKeys({ ledger }, manufacturerId)
  return keys.filter(({ purpose }) => purpose !== "firmware")
}

/** The key of these that signed a certificate. */
export async function findIssuer(
  { client }: OpenLedger,
  certificate: Certificate,
  issuers: readonly LedgerKey[],
): Promise<LedgerKey | undefined> {
  const crypto = client.defaultCrypto()
  for (const key of issuers) {
    if (await client.verifyCertificateSignature(certificate, key.spki, crypto)) return key
  }
  return undefined
}

/** Events about a credential name its place where it is known, so that doors that know serial numbers only learn of it. */
async function withPlace(
  { client, deployment }: OpenLedger,
  manufacturerId: number,
  credentialHash: Hex,
  origin: { serial: Uint8Array; issuerKeyId: Hex } | undefined,
  receipts: OpenReceipts,
): Promise<Subject> {
  const receipt = await receipts.receiptOf(credentialHash)
  if (
    receipt?.manufacturerId === manufacturerId &&
    receipt.chainId === BigInt(deployment.chainId) &&
    receipt.registry === deployment.contracts.devices.address
  ) {
    return { subject: credentialHash, series: receipt.series, index: receipt.index }
  }
  const position = origin === undefined ? undefined : client.decodePositionSerial(origin.serial)
  if (origin === undefined || position?.manufacturerId !== manufacturerId) return { subject: credentialHash }
  const context = {
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    issuerKeyId: origin.issuerKeyId,
  }
  if (!client.positionSerialMatches(origin.serial, context)) return { subject: credentialHash }
  return { subject: credentialHash, series: position.series, index: position.index }
}

/** The device keys of the targets whose certificate was given, each once. */
export function deviceKeySubjects(targets: readonly MarkTarget[]): Subject[] {
  const keyIds = targets.flatMap(({ certificate }) => (certificate === undefined ? [] : [certificate.keyId]))
  return [...new Set(keyIds)].map((subject) => ({ subject }))
}

/** The credential hash of a certificate file, or as it was typed. @throws FingerprintGivenError */
export async function readCredentialHash(open: OpenLedger, given: string): Promise<Hex> {
  if (FINGERPRINT.test(given)) throw new FingerprintGivenError({ given })
  if (HASH.test(given)) return `0x${given.replace(/^0x/, "").toLowerCase()}`
  return (await readCertificate(open, given)).credentialHash
}
