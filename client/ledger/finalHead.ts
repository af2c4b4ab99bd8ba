import type { Hex } from "../crypto/hex.ts"
import { HeadRolledBackError } from "../errors/ledger.ts"
import type { RpcBlock } from "./rpcBlock.ts"

/** The highest final block seen, remembered so that a node cannot take a reader back in time. */
export type HeadMemory = {
  load(): Promise<{ number: number; hash: Hex } | undefined>
  save(head: { number: number; hash: Hex }): Promise<void>
}

/** Keeps the final head from going back. */
export class FinalHead {
  readonly #memory: HeadMemory
  #turn: Promise<unknown> = Promise.resolve()

  /** @param memory Default: remembered while this object lives. */
  constructor(memory: HeadMemory = memoryOfThisObject()) {
    this.#memory = memory
  }

  /**
   * Takes in a final block that a node tells of; returns the highest final block known, which the node has too. Answers overtake
   * each other and nodes forget what they know to be final: neither is a step back, as long as the chain holds what was final.
   *
   * @throws HeadRolledBackError when it does not.
   */
  advance(block: RpcBlock, byNumber: (number: number) => Promise<RpcBlock | undefined>): Promise<RpcBlock> {
    const turn = this.#turn.then(() => this.#advance(block, byNumber))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #advance(block: RpcBlock, byNumber: (number: number) => Promise<RpcBlock | undefined>): Promise<RpcBlock> {
    const seen = await this.#memory.load()
    if (seen?.number === block.number && seen.hash === block.hash) return block
    if (seen !== undefined) {
      const found = seen.number === block.number ? block : await byNumber(seen.number)
      if (found?.hash !== seen.hash) {
        throw new HeadRolledBackError({
          seen: `${seen.number} (${seen.hash})`,
          found: found === undefined ? `block ${block.number} is its newest` : `${found.number} (${found.hash})`,
        })
      }
      if (seen.number > block.number) return found
    }
    await this.#memory.save({ number: block.number, hash: block.hash })
    return block
  }
}

function memoryOfThisObject(): HeadMemory {
  let head: { number: number; hash: Hex } | undefined
  return {
    load: async () => head,
    save: async (next) => {
      head = next
    },
  }
}
