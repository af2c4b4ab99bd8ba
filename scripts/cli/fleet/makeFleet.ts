import { join } from "node:path"
import type { Deployment, ExportableKeySigner, Hex, KeySigner } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { readCertificate } from "../input/certificateFile.ts"
import { assertKeyPair, readIssuerKey } from "../input/issuerKey.ts"
import type { OpenLedger } from "../openLedger.ts"
import type { Progress } from "../output/progress.ts"

type Library = Pick<OpenLedger, "client" | "node">

export type MakeFleetParameters = {
  /** Folder that gets ca.pem, ca.key, certs/ and keys/. */
  folder: string
  count: number
  /** Where the devices will be registered: then their serial numbers say so. Left out: random serial numbers. */
  place?: { deployment: Deployment; manufacturerId: number; series: number } | undefined
  /** How long the certificates are valid. */
  days: number
  /** Address of the gateway whose OCSP and CRLs the certificates name. Default: none. */
  gateway?: string | undefined
  /** Leave the devices' private keys out. */
  withoutKeys?: boolean | undefined
  progress: Progress
}

export type MadeFleet = { issuerCertificate: string; issuerKey: string; certificates: string; keyId: Hex }

/** The issuing CA of a fleet: its certificate and its key. */
type Issuer = { certificate: Uint8Array; signer: KeySigner; notAfter: number }

const DAY = 86_400
const CA_DAYS = 7_300
const CERTIFICATES_AT_ONCE = 64

/**
 * Makes an issuing CA, or takes the one that is in the folder, and `count` device certificates with keys of their own.
 *
 * @throws UsageError when there are device certificates already; OutputWriteError
 */
export async function makeFleet(library: Library, parameters: MakeFleetParameters): Promise<MadeFleet> {
  const { mkdir, readdir } = await import("node:fs/promises")
  const { folder, count, progress } = parameters
  const paths = {
    issuerCertificate: join(folder, "ca.pem"),
    issuerKey: join(folder, "ca.key"),
    certificates: join(folder, "certs"),
    keys: join(folder, "keys"),
  }
  await mkdir(paths.certificates, { recursive: true })
  if ((await readdir(paths.certificates)).length > 0) {
    throw new UsageError(`There are certificates in ${paths.certificates} already.`, { hint: "Give another folder." })
  }
  if (parameters.withoutKeys !== true) await mkdir(paths.keys, { recursive: true, mode: 0o700 })
  const issuer = await openIssuer(library, paths)

  for (let first = 0; first < count; first += CERTIFICATES_AT_ONCE) {
    const indices = Array.from({ length: Math.min(CERTIFICATES_AT_ONCE, count - first) }, (_, i) => first + i)
    await Promise.all(indices.map((index) => makeDevice(library, parameters, issuer, index, paths)))
    progress.update(first + indices.length, count)
  }
  const { issuerCertificate, issuerKey, certificates } = paths
  return { issuerCertificate, issuerKey, certificates, keyId: issuer.signer.keyId }
}

async function openIssuer(library: Library, paths: { issuerCertificate: string; issuerKey: string }): Promise<Issuer> {
  const { existsSync } = await import("node:fs")
  const there = [paths.issuerCertificate, paths.issuerKey].filter((path) => existsSync(path))
  if (there.length === 1) throw new UsageError(`${there[0]} is there, but not its counterpart.`)
  if (there.length === 0) return makeIssuer(library, paths)
  const signer = await readIssuerKey(library, paths.issuerKey)
  const certificate = await readCertificate(library, paths.issuerCertificate)
  assertKeyPair(library, signer, certificate.spki, {
    publicFile: paths.issuerCertificate,
    keyFile: paths.issuerKey,
  })
  return { certificate: certificate.der, signer, notAfter: certificate.notAfter }
}

async function makeIssuer(
  { client, node }: Library,
  paths: { issuerCertificate: string; issuerKey: string },
): Promise<Issuer> {
  const signer = await client.generateP256Key()
  const now = Math.floor(Date.now() / 1000)
  const name = { commonName: "Fleetroot Test Issuing CA" }
  const notAfter = now + CA_DAYS * DAY
  const certificate = await client.buildCertificate({
    subject: name,
    issuer: name,
    spki: signer.spki,
    signer,
    serial: randomSerial(),
    notBefore: now - DAY,
    notAfter,
    ca: true,
  })
  // The key first: a certificate whose key was lost is of no use.
  await writeKey({ client, node }, paths.issuerKey, signer)
  await node.writeFileAtomic(paths.issuerCertificate, client.encodePem("CERTIFICATE", certificate))
  return { certificate, signer, notAfter }
}

async function makeDevice(
  library: Library,
  { place, days, gateway, withoutKeys }: MakeFleetParameters,
  { certificate, signer, notAfter }: Issuer,
  index: number,
  paths: { certificates: string; keys: string },
): Promise<void> {
  const { client, node } = library
  const device = await client.generateP256Key()
  const now = Math.floor(Date.now() / 1000)
  const der = await client.buildCertificate({
    subject: { commonName: `device ${index}` },
    issuer: client.parseCertificate(certificate),
    spki: device.spki,
    signer,
    serial: place === undefined ? randomSerial() : positionSerial(library, place, signer.keyId, index),
    notBefore: now - DAY,
    notAfter: Math.min(now + days * DAY, notAfter),
    ...(gateway === undefined ? {} : gatewayAddresses(gateway, signer.keyId)),
  })
  if (withoutKeys !== true) await writeKey(library, join(paths.keys, `${index}.key`), device)
  await node.writeFileAtomic(join(paths.certificates, `${index}.pem`), client.encodePem("CERTIFICATE", der))
}

/** Where a gateway answers about an issuer's certificates. */
function gatewayAddresses(gateway: string, issuerKeyId: Hex): { aiaOcsp: string; crlUrl: string; deltaCrlUrl: string } {
  const base = gateway.replace(/\/+$/, "")
  const crl = `${base}/crl/${issuerKeyId.slice(2)}`
  return { aiaOcsp: `${base}/ocsp`, crlUrl: `${crl}.crl`, deltaCrlUrl: `${crl}-delta.crl` }
}

async function writeKey({ client, node }: Library, path: string, signer: ExportableKeySigner): Promise<void> {
  await node.writeFileAtomic(path, client.encodePem("PRIVATE KEY", await signer.exportPkcs8()), { mode: 0o600 })
}

function positionSerial(
  { client }: Library,
  { deployment, manufacturerId, series }: NonNullable<MakeFleetParameters["place"]>,
  issuerKeyId: Hex,
  index: number,
): Uint8Array {
  return client.encodePositionSerial({
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    issuerKeyId,
    manufacturerId,
    series,
    index,
  })
}

/** 16 random octets that are a positive number, and no position serial. */
function randomSerial(): Uint8Array {
  const serial = crypto.getRandomValues(new Uint8Array(16))
  serial[0] = 0x11
  return serial
}
