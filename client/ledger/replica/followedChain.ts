import { ChainMismatchError, ContractMismatchError } from "../../errors/ledger.ts"
import { FinalityViolatedError, LogBlockMismatchError, LogSourceBehindError } from "../../errors/replica.ts"
import type { Deployment } from "../deployment.ts"
import { hexNumber } from "../events.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { parseQuantity, parseRpcBlock } from "../rpcBlock.ts"
import type { RpcBlock } from "../rpcBlock.ts"
import type { ReplicaBlock } from "./replicaStore.ts"

export type FollowedChain = {
  readonly origin: ReplicaBlock
  /** The newest of the known blocks that the chain still has; undefined if none was given. */
  readonly common: ReplicaBlock | undefined
}

/**
 * Makes sure that a node follows the deployment's chain up to the ledger's head, and finds how much of what a replica knows is
 * still on it.
 *
 * @param known Blocks that the replica knows, ascending.
 * @param final The final one among them.
 * @throws ChainMismatchError, ContractMismatchError when it is another chain; LogSourceBehindError when the node does not have
 *   the head; FinalityViolatedError when the chain lost a final block.
 */
export async function followChain(
  rpc: JsonRpc,
  deployment: Deployment,
  head: ReplicaBlock,
  known: readonly ReplicaBlock[],
  final: ReplicaBlock | undefined,
): Promise<FollowedChain> {
  const { number, hash } = deployment.block
  const [chainId, ...replies] = await rpc.requestMany([
    { method: "eth_chainId", params: [] },
    ...[number, head.number, ...known.map((block) => block.number)].map(blockCall),
  ])
  const found = parseQuantity(chainId, "eth_chainId")
  if (found !== deployment.chainId) throw new ChainMismatchError({ expected: deployment.chainId, found })
  const [origin, newest, ...blocks] = replies.map(parseRpcBlock)
  if (origin?.hash !== hash) {
    throw new ContractMismatchError({
      contract: "the deployment's block",
      address: `block ${number}`,
      expected: hash,
      found: origin?.hash ?? "no such block",
    })
  }
  if (newest?.hash !== head.hash) {
    throw new LogSourceBehindError({ endpoint: rpc.endpoint, block: head.number, hash: head.hash, found: name(newest) })
  }
  return { origin: blockOf(origin), common: commonBlock(rpc, head, known, final, blocks) }
}

function commonBlock(
  rpc: JsonRpc,
  head: ReplicaBlock,
  known: readonly ReplicaBlock[],
  final: ReplicaBlock | undefined,
  blocks: readonly (RpcBlock | undefined)[],
): ReplicaBlock | undefined {
  // Only a block that is another one shows that the chain changed; a node that has none yet is late.
  const changed = known.filter((block, i) => blocks[i] !== undefined && blocks[i].hash !== block.hash)
  const violated = changed.find(({ number }) => number === final?.number)
  if (violated !== undefined) {
    const found = blocks[known.indexOf(violated)]?.hash ?? "none"
    throw new FinalityViolatedError({ block: violated.number, expected: violated.hash, found })
  }
  const newest = known.at(-1)
  if (changed.length === 0 && newest !== undefined && newest.number > head.number) {
    const { number, hash } = newest
    const found = `block ${head.number} as its newest`
    throw new LogSourceBehindError({ endpoint: rpc.endpoint, block: number, hash, found })
  }
  // What lies beyond the new head is not on the chain, whatever the node still remembers of it.
  const common = known.findLast((block, i) => block.number <= head.number && blocks[i]?.hash === block.hash)
  return common ?? final
}

/**
 * Makes sure that the blocks that logs name are on the chain, with the time that the logs give them.
 *
 * @throws LogBlockMismatchError
 */
export async function checkBlocks(rpc: JsonRpc, blocks: readonly ReplicaBlock[]): Promise<void> {
  if (blocks.length === 0) return
  const replies = await rpc.requestMany(blocks.map(({ number }) => blockCall(number)))
  for (const [i, { number, hash, timestamp }] of blocks.entries()) {
    const found = parseRpcBlock(replies[i])
    if (found?.hash === hash && found.number === number && found.timestamp === timestamp) continue
    const expected = found === undefined ? "not there" : `${found.hash} of ${found.timestamp}`
    throw new LogBlockMismatchError({ block: number, expected, found: `${hash} of ${timestamp}` })
  }
}

function blockCall(number: number): { method: string; params: unknown[] } {
  return { method: "eth_getBlockByNumber", params: [hexNumber(number), false] }
}

function blockOf({ number, hash, timestamp }: RpcBlock): ReplicaBlock {
  return { number, hash, timestamp }
}

function name(block: RpcBlock | undefined): string {
  return block === undefined ? "none" : `another (${block.hash})`
}
