import type { NetworkConnection } from "hardhat/types/network"
import { jsonRpcFrom } from "../../client/index.ts"
import type { Deployment, Hex, JsonRpc } from "../../client/index.ts"
import { assertDeployedCode } from "./assertDeployedCode.ts"
import type { CompiledCode } from "./assertDeployedCode.ts"
import Fleetroot from "./modules/Fleetroot.ts"
import { probePrecompile } from "./probePrecompile.ts"
import type { PrecompileFinding } from "./probePrecompile.ts"
import { readDeployment } from "./readDeployment.ts"

/** What is needed of Hardhat: a connection that has Ignition, and the compiled contracts. */
export type DeployTools = {
  connection: NetworkConnection<string>
  artifacts: { readArtifact(name: string): Promise<CompiledCode> }
}

export type DeployParameters = {
  consortium: Hex
  guardian: Hex
  /** Seconds before an admission takes effect. Default: 48 h. */
  governanceDelay?: number
  /** Seconds before a new firmware key counts. Default: 48 h. */
  keyDelay?: number
  /** Above all ids of earlier deployments of the same line. Default: 1. */
  firstManufacturerId?: number
}

export type DeployResult = { deployment: Deployment; precompile: PrecompileFinding; rpc: JsonRpc }

/** The contracts of the Ignition module by their names in a deployment. */
const CONTRACTS = {
  access: "FleetrootAccess",
  manufacturers: "ManufacturerRegistry",
  devices: "DeviceRegistry",
  firmware: "FirmwareRegistry",
} as const

/**
 * Deploys the contracts with Hardhat Ignition, having probed the chain before, and compares what stands there afterwards with what
 * was compiled.
 *
 * @throws PrecompileFlawedError, DeployedCodeMismatchError
 */
export async function deployContracts(
  { connection, artifacts }: DeployTools,
  parameters: DeployParameters,
): Promise<DeployResult> {
  const rpc = jsonRpcFrom((call) => connection.provider.request(call), "the deploying node")
  const precompile = await probePrecompile(rpc)

  const deployed = (await connection.ignition.deploy(Fleetroot, { parameters: { Fleetroot: parameters } })) as Partial<
    Record<keyof typeof CONTRACTS, { address: Hex }>
  >
  const addresses = new Map<string, Hex>()
  for (const [name, contractName] of Object.entries(CONTRACTS)) {
    const address = deployed[name as keyof typeof CONTRACTS]?.address
    if (address === undefined) continue
    await assertDeployedCode(rpc, address, await artifacts.readArtifact(contractName))
    addresses.set(name, address)
  }
  const newest = Number(await rpc.request({ method: "eth_blockNumber", params: [] }))
  const contracts = Object.fromEntries(addresses) as Parameters<typeof readDeployment>[1]
  return { deployment: await readDeployment(rpc, contracts, newest), precompile, rpc }
}
