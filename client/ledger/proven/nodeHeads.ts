import {
  ChainMismatchError,
  ContractMismatchError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  HistoryUnavailableError,
  ReplyMalformedError,
} from "../../errors/ledger.ts"
import type { Deployment } from "../deployment.ts"
import { hexNumber } from "../events.ts"
import type { Finality } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { parseQuantity, parseRpcBlock } from "../rpcBlock.ts"
import type { RpcBlock } from "../rpcBlock.ts"

/** A block as one node tells it, with the whole of what it sent: the header may be checked against the hash. */
export type NodeBlock = RpcBlock & { readonly reply: unknown }

/** Blocks of one node that is on the deployment's chain. Which chain it is on is asked each time. */
export class NodeHeads {
  readonly rpc: JsonRpc
  readonly #deployment: Deployment
  #anchored = false

  constructor(deployment: Deployment, rpc: JsonRpc) {
    this.rpc = rpc
    this.#deployment = deployment
  }

  /**
   * The newest block of each finality, and the blocks of some numbers, in one round trip.
   *
   * @throws ChainMismatchError, ContractMismatchError when the node is not on the deployment's chain.
   * @throws HistoryUnavailableError, ReplyMalformedError and the endpoint's errors.
   */
  async read(
    finalities: readonly Finality[],
    numbers: readonly number[] = [],
  ): Promise<{ newest: NodeBlock[]; numbered: (NodeBlock | undefined)[] }> {
    const { block: anchor, chainId } = this.#deployment
    const wantsAnchor = !this.#anchored
    const names = [...finalities, ...numbers.map(hexNumber), ...(wantsAnchor ? [hexNumber(anchor.number)] : [])]
    const [chain, ...replies] = await this.#ask([
      { method: "eth_chainId", params: [] },
      ...names.map((name) => ({ method: "eth_getBlockByNumber", params: [name, false] })),
    ])
    const found = parseQuantity(chain, "eth_chainId")
    if (found !== chainId) {
      this.#anchored = false
      throw new ChainMismatchError({ expected: chainId, found })
    }
    if (wantsAnchor) this.#checkAnchor(replies[names.length - 1])
    const newest = finalities.map((finality, i) => {
      const block = parseNodeBlock(replies[i])
      if (block === undefined) throw new HistoryUnavailableError({ what: `a ${finality} block` })
      if (block.number < anchor.number) {
        throw new HistoryUnavailableError({ what: `anything since the deployment: its ${finality} block is older` })
      }
      return block
    })
    const numbered = numbers.map((number, i) => parseNumbered(replies[finalities.length + i], number))
    return { newest, numbered }
  }

  /** The block of a number; undefined if the node has none. */
  async byNumber(number: number): Promise<NodeBlock | undefined> {
    return (await this.read([], [number])).numbered[0]
  }

  #checkAnchor(reply: unknown): void {
    const { number, hash } = this.#deployment.block
    const found = parseNumbered(reply, number)?.hash ?? "no such block"
    if (found !== hash) {
      const contract = "the deployment's block"
      throw new ContractMismatchError({ contract, address: `block ${number}`, expected: hash, found })
    }
    this.#anchored = true
  }

  async #ask(calls: readonly { method: string; params: readonly unknown[] }[]): Promise<unknown[]> {
    try {
      return await this.rpc.requestMany(calls)
    } catch (error) {
      // Behind the same address another node may answer next time.
      if (error instanceof EndpointUnreachableError || error instanceof EndpointTimeoutError) this.#anchored = false
      throw error
    }
  }
}

function parseNodeBlock(reply: unknown): NodeBlock | undefined {
  const block = parseRpcBlock(reply)
  return block === undefined ? undefined : { ...block, reply }
}

function parseNumbered(reply: unknown, number: number): NodeBlock | undefined {
  const block = parseNodeBlock(reply)
  if (block !== undefined && block.number !== number) {
    const found = String(block.number)
    throw new ReplyMalformedError({ what: `block ${number}`, expected: `number ${number}`, found })
  }
  return block
}
