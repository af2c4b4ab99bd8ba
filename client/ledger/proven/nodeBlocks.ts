import type { Deployment } from "../deployment.ts"
import { FinalHead } from "../finalHead.ts"
import type { HeadMemory } from "../finalHead.ts"
import type { Finality } from "../ledger.ts"
import type { JsonRpc } from "../rpc/jsonRpc.ts"
import { blockAtTime } from "./blockAtTime.ts"
import type { BlockSource, SourcedBlock, SourcedHeads } from "./blockSource.ts"
import { memoryOrOwn } from "./headMemory.ts"
import { NodeHeads } from "./nodeHeads.ts"
import type { NodeBlock } from "./nodeHeads.ts"

export type NodeBlocksOptions = {
  deployment: Deployment
  rpc: JsonRpc
  /** Default: remembered while this object lives. */
  headMemory?: HeadMemory
}

/** Believes one node about which block is the newest; of the past it takes nothing back that was final. */
export class NodeBlocks implements BlockSource {
  readonly #deployment: Deployment
  readonly #heads: NodeHeads
  readonly #memory: HeadMemory
  readonly #finalHead: FinalHead

  constructor({ deployment, rpc, headMemory }: NodeBlocksOptions) {
    this.#deployment = deployment
    this.#heads = new NodeHeads(deployment, rpc)
    this.#memory = memoryOrOwn(headMemory)
    this.#finalHead = new FinalHead(this.#memory)
  }

  /** @throws HeadRolledBackError and what {@link NodeHeads.read} throws. */
  async newest(finalities: readonly Finality[], onAsked?: () => void): Promise<SourcedHeads> {
    // The block that was final before is asked for along the way, so that going on takes no second trip.
    const seen = finalities.includes("finalized") ? await this.#memory.load() : undefined
    const asked = this.#heads.read(finalities, seen === undefined ? [] : [seen.number])
    onAsked?.()
    const { newest, numbered } = await asked
    const blocks = await Promise.all(
      newest.map(async (block, i) => {
        if (finalities[i] !== "finalized") return this.#sourced(block)
        const byNumber = async (number: number): Promise<NodeBlock | undefined> =>
          number === seen?.number ? numbered[0] : this.#heads.byNumber(number)
        return this.#sourced((await this.#finalHead.advance(block, byNumber)) as NodeBlock)
      }),
    )
    return { blocks, lone: [] }
  }

  /** @throws TimeOutOfRangeError, HistoryUnavailableError and what {@link newest} throws. */
  async atTime(timestamp: number): Promise<SourcedBlock> {
    const { blocks } = await this.newest(["finalized"])
    const [final] = blocks as [SourcedBlock]
    const byNumber = (number: number): Promise<NodeBlock | undefined> => this.#heads.byNumber(number)
    const firstNumber = this.#deployment.block.number
    return this.#sourced(await blockAtTime({ timestamp, firstNumber, newest: final.block, byNumber }))
  }

  #sourced(block: NodeBlock): SourcedBlock {
    const { endpoint } = this.#heads.rpc
    const detail = `${endpoint} was believed about the hash of block ${block.number}`
    return { block, evidence: { kind: "singleNode", detail } }
  }
}
