import { keccak256 } from "viem"
import type { Deployment, Hex, JsonRpc } from "../../client/index.ts"

/** The addresses that a deployment run gave. */
export type DeployedAddresses = { access: Hex; manufacturers: Hex; devices: Hex; firmware?: Hex }

/** Describes contracts that were just deployed: chain, code hashes, a block from which on everything can be read. */
export async function readDeployment(
  rpc: JsonRpc,
  addresses: DeployedAddresses,
  firstBlock: number,
  endpoint?: string,
): Promise<Deployment> {
  const contract = async (address: Hex) => {
    const code = (await rpc.request({ method: "eth_getCode", params: [address, "latest"] })) as Hex
    return { address: address.toLowerCase() as Hex, codeHash: keccak256(code) }
  }
  const chainId = Number(await rpc.request({ method: "eth_chainId", params: [] }))
  const block = (await rpc.request({
    method: "eth_getBlockByNumber",
    params: [`0x${firstBlock.toString(16)}`, false],
  })) as { hash: Hex }
  return {
    version: 1,
    chainId,
    block: { number: firstBlock, hash: block.hash.toLowerCase() as Hex },
    contracts: {
      access: await contract(addresses.access),
      manufacturers: await contract(addresses.manufacturers),
      devices: await contract(addresses.devices),
      ...(addresses.firmware === undefined ? {} : { firmware: await contract(addresses.firmware) }),
    },
    ...(endpoint === undefined ? {} : { rpc: endpoint }),
  }
}
