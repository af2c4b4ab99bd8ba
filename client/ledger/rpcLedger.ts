import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import type { Hex } from "../crypto/hex.ts"
import {
  ChainMismatchError,
  ContractMismatchError,
  EndpointTimeoutError,
  EndpointUnreachableError,
  HistoryUnavailableError,
  ReplyMalformedError,
  TimeOutOfRangeError,
} from "../errors/ledger.ts"
import { keccakHex } from "./abi/keccakHex.ts"
import type { Deployment } from "./deployment.ts"
import { FinalHead } from "./finalHead.ts"
import type { HeadMemory } from "./finalHead.ts"
import { hexNumber } from "./events.ts"
import type { Finality, Ledger, LedgerView } from "./ledger.ts"
import { KeyEvents } from "./keyEvents.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"
import { parseQuantity, parseRpcBlock } from "./rpcBlock.ts"
import type { RpcBlock } from "./rpcBlock.ts"
import { RpcView } from "./rpcView.ts"

export type { HeadMemory } from "./finalHead.ts"

export type RpcLedgerOptions = {
  deployment: Deployment
  rpc: JsonRpc
  /** Checks the possession proofs of keys that the contract cannot check. Default: the platform's. */
  crypto?: CryptoBackend
  /** Default: remembered while this object lives. */
  headMemory?: HeadMemory
}

/**
 * The ledger as one node tells it. The node is believed: verdicts say so (`evidence: singleNode`). Checked nevertheless: chain
 * id, code at every address, the deployment's own block, the form of every answer, that time does not run backwards.
 */
export class RpcLedger implements Ledger {
  readonly deployment: Deployment
  readonly #rpc: JsonRpc
  readonly #finalHead: FinalHead
  readonly #keyEvents: KeyEvents
  #codeChecked: Promise<void> | undefined

  constructor(options: RpcLedgerOptions) {
    this.deployment = options.deployment
    this.#rpc = watched(options.rpc, () => {
      this.#codeChecked = undefined
    })
    this.#finalHead = new FinalHead(options.headMemory)
    this.#keyEvents = new KeyEvents(options.deployment, this.#rpc, options.crypto ?? defaultCrypto())
  }

  /**
   * @throws ChainMismatchError, ContractMismatchError when this is not the deployment's chain.
   * @throws HeadRolledBackError when the node went back behind a final block seen before.
   */
  async at(finality: Finality): Promise<LedgerView> {
    const [block] = await this.#newest([finality])
    return this.#view(block as RpcBlock, finality)
  }

  /** Throws as {@link at}. */
  async heads(finality: Finality): Promise<{ head: LedgerView; settled: LedgerView }> {
    const [latest, final] = (await this.#newest(["latest", finality])) as [RpcBlock, RpcBlock]
    const settled = this.#view(final, finality)
    // A block may have come between the two answers, or a node that lags gave the first: what is settled is known anyway.
    const head = latest.number > final.number ? this.#view(latest, "latest") : settled
    return { head, settled }
  }

  /** @throws TimeOutOfRangeError, HistoryUnavailableError */
  async atTime(timestamp: number): Promise<LedgerView> {
    const [newest] = (await this.#newest(["finalized"])) as [RpcBlock]
    const first = await this.#blockByNumber(this.deployment.block.number)
    if (first === undefined) throw new HistoryUnavailableError({ what: `block ${this.deployment.block.number}` })
    if (!(timestamp >= first.timestamp && timestamp <= newest.timestamp)) {
      throw new TimeOutOfRangeError({
        at: new Date(timestamp * 1000),
        earliest: new Date(first.timestamp * 1000),
        latest: new Date(newest.timestamp * 1000),
      })
    }
    // The last block at or before the time: `low` is at or before it, `high` is after it or does not exist.
    let low = first
    let highNumber = newest.number + 1
    if (newest.timestamp <= timestamp) low = newest
    while (highNumber - low.number > 1 && low.number !== newest.number) {
      const middle = await this.#blockByNumber(Math.floor((low.number + highNumber) / 2))
      if (middle === undefined) throw new HistoryUnavailableError({ what: "a block between two that it has" })
      if (middle.timestamp <= timestamp) low = middle
      else highNumber = middle.number
    }
    return this.#view(low, "finalized")
  }

  #view(block: RpcBlock, finality: Finality): LedgerView {
    return new RpcView({
      deployment: this.deployment,
      rpc: this.#rpc,
      keyEvents: this.#keyEvents,
      block: { number: block.number, hash: block.hash, timestamp: block.timestamp, finality },
    })
  }

  /** The newest block of each finality, in one round trip. */
  async #newest(finalities: readonly Finality[]): Promise<RpcBlock[]> {
    this.#codeChecked ??= this.#checkCode()
    try {
      await this.#codeChecked
    } catch (error) {
      // The next call checks again: the node may have come back.
      this.#codeChecked = undefined
      throw error
    }
    const [chainId, ...replies] = await this.#rpc.requestMany([
      { method: "eth_chainId", params: [] },
      ...finalities.map((finality) => ({ method: "eth_getBlockByNumber", params: [finality, false] })),
    ])
    this.#checkChain(chainId)
    return Promise.all(
      finalities.map(async (finality, i) => {
        const block = parseRpcBlock(replies[i])
        if (block === undefined) throw new HistoryUnavailableError({ what: `a ${finality} block` })
        if (block.number < this.deployment.block.number) {
          throw new HistoryUnavailableError({ what: `anything since the deployment: its ${finality} block is older` })
        }
        if (finality !== "finalized") return block
        return this.#finalHead.advance(block, (number) => this.#blockByNumber(number))
      }),
    )
  }

  async #blockByNumber(number: number): Promise<RpcBlock | undefined> {
    const block = parseRpcBlock(
      await this.#rpc.request({ method: "eth_getBlockByNumber", params: [hexNumber(number), false] }),
    )
    if (block !== undefined && block.number !== number) {
      throw new ReplyMalformedError({
        what: `block ${number}`,
        expected: `number ${number}`,
        found: String(block.number),
      })
    }
    return block
  }

  #checkChain(reply: unknown): void {
    const found = parseQuantity(reply, "eth_chainId")
    if (found === this.deployment.chainId) return
    this.#codeChecked = undefined
    throw new ChainMismatchError({ expected: this.deployment.chainId, found })
  }

  async #checkCode(): Promise<void> {
    const contracts = Object.entries(this.deployment.contracts)
    const [chainId, anchor, ...codes] = await this.#rpc.requestMany([
      { method: "eth_chainId", params: [] },
      { method: "eth_getBlockByNumber", params: [hexNumber(this.deployment.block.number), false] },
      ...contracts.map(([, { address }]) => ({ method: "eth_getCode", params: [address, "latest"] })),
    ])
    this.#checkChain(chainId)
    contracts.forEach(([contract, { address, codeHash }], i) => {
      const code = codes[i]
      if (typeof code !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(code)) {
        throw new ReplyMalformedError({
          what: "eth_getCode",
          expected: "hexadecimal data",
          found: String(code).slice(0, 40),
        })
      }
      const found = code === "0x" ? "no code" : keccakHex(code as Hex)
      if (found !== codeHash) throw new ContractMismatchError({ contract, address, expected: codeHash, found })
    })
    const { number, hash } = this.deployment.block
    const found = parseRpcBlock(anchor)?.hash ?? "no such block"
    if (found === hash) return
    const contract = "the deployment's block"
    throw new ContractMismatchError({ contract, address: `block ${number}`, expected: hash, found })
  }
}

/** Tells when the node was out of reach: behind the same address another may answer next time. */
function watched(rpc: JsonRpc, onLost: () => void): JsonRpc {
  const watch = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      if (error instanceof EndpointUnreachableError || error instanceof EndpointTimeoutError) onLost()
      throw error
    }
  }
  return {
    endpoint: rpc.endpoint,
    request: (call) => watch(rpc.request(call)),
    requestMany: (calls) => watch(rpc.requestMany(calls)),
  }
}
