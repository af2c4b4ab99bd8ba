import { artifacts, network } from "hardhat"
import type { Deployment, Hex, JsonRpc } from "../../client/index.ts"
import { deployContracts } from "./deployContracts.ts"

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
  const parameters = { consortium: governor, guardian: governor, governanceDelay: 0, keyDelay: 0 }
  const { rpc, deployment } = await deployContracts({ connection, artifacts }, parameters)
  return { rpc, deployment, close: () => connection.close() }
}
