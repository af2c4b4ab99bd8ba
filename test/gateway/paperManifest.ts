import { encodeManifestHeader, fromHex, MerkleTree, toHex } from "../../client/index.ts"
import type { Hex } from "../../client/index.ts"
import { DEPLOYMENT } from "./fakeFleet.ts"
import { MAKER } from "./fakeFactory.ts"

/** A credential hash like no other. */
export function paperHash(number: number): Hex {
  return `0x${(number + 1).toString(16).padStart(64, "5")}`
}

/** The manifest of a batch on the hand-made ledger, and the root that it leads to. */
export function paperManifest(
  series: number,
  hashes: readonly Hex[],
  { manufacturerId = MAKER, issuerKeyId = paperHash(0) } = {},
): { bytes: Uint8Array; root: Hex } {
  const leaves = hashes.map(fromHex)
  const root = toHex(MerkleTree.fromCredentialHashes(leaves).root())
  const header = encodeManifestHeader({
    chainId: BigInt(DEPLOYMENT.chainId),
    registry: DEPLOYMENT.contracts.devices.address,
    manufacturerId,
    series,
    kind: "x509",
    size: hashes.length,
    notAfter: 4_000_000_000,
    root,
    issuerKeyId,
  })
  return { bytes: new Uint8Array(Buffer.concat([header, ...leaves])), root }
}
