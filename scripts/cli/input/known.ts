import type { Batch, Manufacturer } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"

/** The manufacturer as the ledger has it now. @throws ManufacturerUnknownError */
export async function assertKnown({ client, ledger }: OpenLedger, manufacturerId: number): Promise<Manufacturer> {
  const found = await (await ledger.at("latest")).manufacturer(manufacturerId)
  if (found === undefined) throw new client.ManufacturerUnknownError({ manufacturerId })
  return found
}

/** The batch as the ledger has it now. @throws BatchMissingError */
export async function readBatch(
  { client, ledger }: OpenLedger,
  manufacturerId: number,
  series: number,
): Promise<Batch> {
  const found = await (await ledger.at("latest")).batch(manufacturerId, series)
  if (found === undefined) throw new client.BatchMissingError({ manufacturerId, series })
  return found
}
