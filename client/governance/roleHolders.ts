import { fleetrootAccessAbi } from "../abi/FleetrootAccess.ts"
import type { Hex } from "../crypto/hex.ts"
import { decodeView, encodeView } from "../ledger/contractCalls.ts"
import type { Deployment } from "../ledger/deployment.ts"
import { readEvents } from "../ledger/events.ts"
import type { Block } from "../ledger/ledger.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"

/** The roles of `FleetrootAccess`, by what the contract calls them. */
const ROLES = { admin: 0n, admission: 1n, consortium: 2n, guardian: 3n } as const

export type GovernanceRole = keyof typeof ROLES

export type RoleHolder = {
  readonly account: Hex
  /** How long each of its calls must wait. */
  readonly delaySeconds: number
}

/** The roles are granted when `FleetrootAccess` is made, which is before the registries are: a day of blocks of 12 s. */
const BLOCKS_BEFORE = 7_200

/**
 * Who holds each role of governance at a block, as one node tells it: candidates from the events since a day before the deployment, each asked
 * of the contract. A role that nobody holds can never be granted again unless an admin is left.
 *
 * @throws the node's errors, when no answer could be had.
 */
export async function readRoleHolders(
  { deployment, rpc }: { deployment: Deployment; rpc: JsonRpc },
  block: Block,
): Promise<Readonly<Record<GovernanceRole, readonly RoleHolder[]>>> {
  const { address } = deployment.contracts.access
  const granted = await readEvents(rpc, {
    abi: fleetrootAccessAbi,
    address,
    eventName: "RoleGranted",
    fromBlock: Math.max(0, deployment.block.number - BLOCKS_BEFORE),
    toBlock: block.number,
  })
  const holdersOf = async (role: GovernanceRole): Promise<RoleHolder[]> => {
    const roleId = ROLES[role]
    const accounts = new Set(
      granted.filter(({ args }) => args["roleId"] === roleId).map(({ args }) => String(args["account"]).toLowerCase()),
    )
    const holders: RoleHolder[] = []
    for (const account of accounts as Set<Hex>) {
      const call = { abi: fleetrootAccessAbi, functionName: "hasRole", args: [roleId, account] } as const
      const params = [{ to: address, data: encodeView(call) }, { blockHash: block.hash }]
      const [isMember, delaySeconds] = decodeView(call, await rpc.request({ method: "eth_call", params }))
      if (isMember) holders.push({ account, delaySeconds })
    }
    return holders
  }
  return {
    admin: await holdersOf("admin"),
    admission: await holdersOf("admission"),
    consortium: await holdersOf("consortium"),
    guardian: await holdersOf("guardian"),
  }
}
