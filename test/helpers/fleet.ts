import {
  buildCertificate,
  encodePositionSerial,
  fromHex,
  generateP256Key,
  MerkleTree,
  parseCertificate,
  toHex,
} from "../../client/index.ts"
import type { Certificate, Deployment, Hex, KeySigner, Receipt } from "../../client/index.ts"

/** A device as its maker made it. */
export type Device = { signer: KeySigner; der: Uint8Array; certificate: Certificate }

const YEAR = 365 * 86_400

export type MakeDeviceOptions = {
  issuer: KeySigner
  signer?: KeySigner
  serial?: Uint8Array
  notBefore?: number
  notAfter?: number
  name?: string
}

/** Seconds since 1970, now. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

/** One device certificate by an issuer key. */
export async function makeDevice(options: MakeDeviceOptions): Promise<Device> {
  const signer = options.signer ?? (await generateP256Key())
  const serial = options.serial ?? crypto.getRandomValues(new Uint8Array(16))
  if (options.serial === undefined) serial[0] = 0x11
  const der = await buildCertificate({
    subject: { commonName: options.name ?? "device" },
    issuer: { commonName: "Test Issuing CA" },
    spki: signer.spki,
    signer: options.issuer,
    serial,
    notBefore: options.notBefore ?? nowSeconds() - 3_600,
    notAfter: options.notAfter ?? nowSeconds() + 10 * YEAR,
  })
  return { signer, der, certificate: parseCertificate(der) }
}

/** A serial number that names its place. */
export function positionSerial(
  deployment: Deployment,
  issuerKeyId: Hex,
  place: { manufacturerId: number; series: number; index: number },
): Uint8Array {
  const registry = deployment.contracts.devices.address
  return encodePositionSerial({ chainId: BigInt(deployment.chainId), registry, issuerKeyId, ...place })
}

/** The tree over credential hashes, and receipts out of it. */
export function makeTree(
  deployment: Deployment,
  manufacturerId: number,
  series: number,
  credentialHashes: readonly Hex[],
): { root: Hex; size: number; receipt(index: number): Receipt } {
  const tree = MerkleTree.fromCredentialHashes(credentialHashes.map(fromHex))
  return {
    root: toHex(tree.root()),
    size: credentialHashes.length,
    receipt: (index) => ({
      chainId: BigInt(deployment.chainId),
      registry: deployment.contracts.devices.address,
      manufacturerId,
      series,
      size: credentialHashes.length,
      index,
      proof: tree.inclusionProof(index),
    }),
  }
}
