import { network } from "hardhat"
import { jsonRpcFrom } from "../../client/index.ts"
import type { Deployment, Hex, JsonRpc } from "../../client/index.ts"
import Fleetroot from "./modules/Fleetroot.ts"
import { readDeployment } from "./readDeployment.ts"

/** A ledger inside this process, with the contracts on it. */
export type EmbeddedLedger = { rpc: JsonRpc; deployment: Deployment; close: () => Promise<void> }

/**
 * Starts Hardhat's ledger in this process and deploys the contracts with no delays; `governor` is consortium and guardian.
 *
 * @param networkName A network of hardhat.config.ts: `default` (Osaka) or `cancun` (without the P-256 precompile).
 */
export async function deployEmbedded(
  governor: Hex,
  networkName: "default" | "cancun" = "default",
): Promise<EmbeddedLedger> {
  const connection = await network.create(networkName)
  const { provider, ignition } = connection
  const rpc = jsonRpcFrom((call) => provider.request(call), "embedded ledger")
  const deployed = (await ignition.deploy(Fleetroot, {
    parameters: { Fleetroot: { consortium: governor, guardian: governor, governanceDelay: 0, keyDelay: 0 } },
  })) as Record<string, { address: Hex }>
  const addressOf = (name: string): Hex => {
    const contract = deployed[name]
    if (contract === undefined) throw new Error(`the deployment module has no contract ${name}`)
    return contract.address
  }
  const deployment = await readDeployment(
    rpc,
    {
      access: addressOf("access"),
      manufacturers: addressOf("manufacturers"),
      devices: addressOf("devices"),
      ...(deployed["firmware"] === undefined ? {} : { firmware: addressOf("firmware") }),
    },
    0,
  )
  return { rpc, deployment, close: () => connection.close() }
}
