import type { Abi } from "viem"
import { FleetrootError } from "../errors/base.ts"
import { ContractMismatchError, HistoryUnavailableError, RpcRejectedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { decodeRevert, decodeView, encodeView } from "./contractCalls.ts"
import type { ViewCall, ViewName } from "./contractCalls.ts"
import type { Block } from "./ledger.ts"
import { isMissingState } from "./missingState.ts"
import type { JsonRpc, RpcCall } from "./rpc/jsonRpc.ts"

type Pending = { call: RpcCall; resolve: (value: unknown) => void; reject: (error: unknown) => void }

/**
 * View calls at one block, named by its hash (EIP-1898): a node that is on another history cannot answer them. Calls of the same
 * moment travel together; each question is asked once.
 */
export class BlockCalls {
  readonly #rpc: JsonRpc
  readonly #block: Block
  readonly #answers = new Map<string, Promise<unknown>>()
  #pending: Pending[] = []

  constructor(rpc: JsonRpc, block: Block) {
    this.#rpc = rpc
    this.#block = block
  }

  /** @throws ContractRevertedError, HistoryUnavailableError, ReplyMalformedError and the endpoint's errors. */
  read<const abi extends Abi, name extends ViewName<abi>>(to: Hex, call: ViewCall<abi, name>): Promise<unknown> {
    const data = encodeView(call)
    const question = `${to}:${data}`
    const known = this.#answers.get(question)
    if (known !== undefined) return known
    const answer = this.#ask(to, data).then(
      (reply) => {
        if (reply === "0x") throw this.#noContract(to)
        return decodeView(call, reply)
      },
      (error: unknown) => {
        const revert = decodeRevert(error, call.functionName)
        if (revert !== undefined) throw revert
        if (isMissingState(error)) {
          throw new HistoryUnavailableError({ what: `the state of block ${this.#block.number}`, cause: error })
        }
        throw error
      },
    )
    this.#answers.set(question, answer)
    // A failed question may be asked again.
    answer.catch(() => this.#answers.delete(question))
    return answer
  }

  /** A call to an address without code succeeds and returns nothing. */
  #noContract(address: Hex): ContractMismatchError {
    const { number } = this.#block
    return new ContractMismatchError({
      contract: "a registry",
      address,
      expected: "any",
      found: `no code at block ${number}`,
    })
  }

  #ask(to: Hex, data: Hex): Promise<unknown> {
    const call: RpcCall = { method: "eth_call", params: [{ to, data }, { blockHash: this.#block.hash }] }
    return new Promise((resolve, reject) => {
      this.#pending.push({ call, resolve, reject })
      if (this.#pending.length === 1) queueMicrotask(() => void this.#flush())
    })
  }

  async #flush(): Promise<void> {
    // One more turn, so that callers that wait for each other's first lines get in too.
    await Promise.resolve()
    const batch = this.#pending
    this.#pending = []
    try {
      const replies = await this.#rpc.requestMany(batch.map(({ call }) => call))
      batch.forEach(({ resolve }, i) => {
        resolve(replies[i])
      })
    } catch (error) {
      // One call that the node refuses fails the round trip whole; asked alone, each gets its own answer. Other faults are
      // everybody's, and asking again would only multiply the wait.
      const refused = error instanceof RpcRejectedError || !(error instanceof FleetrootError)
      for (const { call, resolve, reject } of batch) {
        if (refused && batch.length > 1) this.#rpc.request(call).then(resolve, reject)
        else reject(error)
      }
    }
  }
}
