import { ManifestPlaceError } from "../../errors/mirror.ts"
import { readManifestHeader } from "../../merkle/manifest.ts"
import type { ManifestSource } from "../../merkle/manifest.ts"
import type { Deployment } from "../deployment.ts"
import type { Batch } from "../ledger.ts"

/**
 * Refuses, from its header alone, a manifest that cannot be the batch's. Whether it is, only its hashes tell.
 *
 * @throws {@link ManifestPlaceError}, and as `readManifestHeader`.
 */
export async function assertManifestOf(source: ManifestSource, batch: Batch, deployment: Deployment): Promise<void> {
  const header = await readManifestHeader(source)
  const expected = {
    chainId: BigInt(deployment.chainId),
    registry: deployment.contracts.devices.address,
    manufacturerId: batch.manufacturerId,
    series: batch.series,
    size: batch.size,
  }
  for (const field of ["chainId", "registry", "manufacturerId", "series", "size"] as const) {
    if (header[field] === expected[field]) continue
    throw new ManifestPlaceError({ field, expected: String(expected[field]), found: String(header[field]) })
  }
}
