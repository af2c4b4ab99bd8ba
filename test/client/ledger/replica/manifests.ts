import { toHex } from "../../../../client/crypto/hex.ts"
import type { Deployment } from "../../../../client/ledger/deployment.ts"
import type { Batch } from "../../../../client/ledger/ledger.ts"
import { encodeManifestHeader } from "../../../../client/merkle/manifest.ts"
import { merkleRoot } from "../../../../client/merkle/tree.ts"
import { hash } from "../../merkle/naiveTree.ts"

export const DEPLOYMENT: Deployment = {
  version: 1,
  chainId: 5,
  block: { number: 1, hash: `0x${"11".repeat(32)}` },
  contracts: {
    access: { address: `0x${"40".repeat(20)}`, codeHash: `0x${"00".repeat(32)}` },
    manufacturers: { address: `0x${"41".repeat(20)}`, codeHash: `0x${"00".repeat(32)}` },
    devices: { address: `0x${"42".repeat(20)}`, codeHash: `0x${"00".repeat(32)}` },
  },
}

/** The credential hash of a test device. */
export function hashAt(device: number): Uint8Array {
  return hash(new TextEncoder().encode(`device ${device}`))
}

export function hashesFrom(first: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => hashAt(first + i))
}

/** A registered batch over these hashes, and its manifest. */
export function makeBatch(
  place: { manufacturerId: number; series: number; registeredAt?: number },
  hashes: readonly Uint8Array[],
): { batch: Batch; manifest: Uint8Array } {
  const { manufacturerId, series, registeredAt = 1000 * series } = place
  const root = toHex(merkleRoot(hashes))
  const header = encodeManifestHeader({
    kind: "x509",
    chainId: BigInt(DEPLOYMENT.chainId),
    registry: DEPLOYMENT.contracts.devices.address,
    manufacturerId,
    series,
    size: hashes.length,
    notAfter: 2_000_000_000,
    root,
    issuerKeyId: `0x${"77".repeat(32)}`,
  })
  const batch: Batch = {
    manufacturerId,
    series,
    root,
    size: hashes.length,
    keyIndex: 1,
    registeredAt,
    notAfter: 2_000_000_000,
    mark: "none",
    byKey: false,
    rawPublicKeys: false,
    revokedCount: 0,
    changedAt: 0,
    reason: 0,
  }
  return { batch, manifest: new Uint8Array(Buffer.concat([header, ...hashes])) }
}
