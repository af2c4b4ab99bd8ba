import type { Manufacturer } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"

/** The manufacturer as the ledger has it now. @throws ManufacturerUnknownError */
export async function assertKnown({ client, ledger }: OpenLedger, manufacturerId: number): Promise<Manufacturer> {
  const found = await (await ledger.at("latest")).manufacturer(manufacturerId)
  if (found === undefined) throw new client.ManufacturerUnknownError({ manufacturerId })
  return found
}
