import type { Block, Log, Provider, TransactionReceipt } from "ethers"
import type { Hex } from "../crypto/hex.ts"
import { HistoryUnavailableError, RpcRejectedError } from "../errors/ledger.ts"
import { hexNumber } from "../ledger/events.ts"
import type { RpcCall } from "../ledger/rpc/jsonRpc.ts"

type CallRequest = { from?: string; to: string; data: string; gas?: string }
type LogFilter = { address: string; topics: (string | null)[]; fromBlock: string; toBlock: string }

/** Answers JSON-RPC calls, those that this library makes, through the methods that every ethers provider has. */
export class ProviderCalls {
  readonly #provider: Provider
  readonly #numbers = new Map<string, number>()

  constructor(provider: Provider) {
    this.#provider = provider
  }

  /** @throws HistoryUnavailableError when a block that a call names is not part of the chain, before or after the call. */
  async requestMany(calls: readonly RpcCall[]): Promise<unknown[]> {
    const results = await Promise.all(calls.map((call) => this.#answer(call)))
    const hashes = new Set(calls.map(blockHashOf).filter((hash) => hash !== undefined))
    // Calls name the block by its number here: only if it is still the one that was meant, its state was read.
    await Promise.all([...hashes].map((hash) => this.#assertOnChain(hash)))
    return results
  }

  async #answer({ method, params }: RpcCall): Promise<unknown> {
    const provider = this.#provider
    switch (method) {
      case "eth_chainId":
        return hexNumber((await provider.getNetwork()).chainId)
      case "eth_getBlockByNumber":
        return formatBlock(await provider.getBlock(tagOf(params[0])))
      case "eth_getCode":
        return provider.getCode(params[0] as string, tagOf(params[1]))
      case "eth_call":
        return this.#call(params)
      case "eth_getLogs": {
        const { address, topics, fromBlock, toBlock } = params[0] as LogFilter
        const range = { fromBlock: Number(fromBlock), toBlock: Number(toBlock) }
        return (await provider.getLogs({ address, topics, ...range })).map(formatLog)
      }
      case "eth_getTransactionCount":
        return hexNumber(await provider.getTransactionCount(params[0] as string, tagOf(params[1])))
      case "eth_estimateGas": {
        const { gas, ...request } = params[0] as CallRequest
        return hexNumber(await provider.estimateGas({ ...request, ...(gas === undefined ? {} : { gasLimit: gas }) }))
      }
      case "eth_maxPriorityFeePerGas": {
        const { maxPriorityFeePerGas } = await provider.getFeeData()
        if (maxPriorityFeePerGas === null) throw unsupported(method)
        return hexNumber(maxPriorityFeePerGas)
      }
      case "eth_sendRawTransaction":
        return (await provider.broadcastTransaction(params[0] as string)).hash
      case "eth_getTransactionReceipt":
        return formatReceipt(await provider.getTransactionReceipt(params[0] as string))
      default:
        throw unsupported(method)
    }
  }

  async #call([request, block]: readonly unknown[]): Promise<string> {
    const { from, to, data } = request as CallRequest
    const { blockHash } = (typeof block === "object" ? block : {}) as { blockHash?: string }
    const blockTag = blockHash === undefined ? tagOf(block) : await this.#numberOf(blockHash)
    return this.#provider.call({ ...(from === undefined ? {} : { from }), to, data, blockTag })
  }

  async #numberOf(hash: string): Promise<number> {
    const known = this.#numbers.get(hash)
    if (known !== undefined) return known
    const block = await this.#provider.getBlock(hash)
    if (block === null) throw new HistoryUnavailableError({ what: `block ${hash}` })
    this.#numbers.set(hash, block.number)
    return block.number
  }

  async #assertOnChain(hash: string): Promise<void> {
    const number = await this.#numberOf(hash)
    const block = await this.#provider.getBlock(number)
    if (block?.hash?.toLowerCase() === hash.toLowerCase()) return
    throw new HistoryUnavailableError({ what: `the state of block ${number} (${hash}): another stands in its place` })
  }
}

function blockHashOf({ method, params }: RpcCall): string | undefined {
  const block = method === "eth_call" ? params[1] : undefined
  return typeof block === "object" && block !== null ? (block as { blockHash?: string }).blockHash : undefined
}

/** Quantities in numbers, which ethers takes; words as they are. */
function tagOf(tag: unknown): string | number {
  if (typeof tag !== "string") return "latest"
  return /^0x[0-9a-f]{1,14}$/.test(tag) ? Number(tag) : tag
}

function formatBlock(block: Block | null): object | null {
  if (block === null) return null
  const { number, hash, parentHash, timestamp, baseFeePerGas } = block
  const baseFee = baseFeePerGas === null ? {} : { baseFeePerGas: hexNumber(baseFeePerGas) }
  return { number: hexNumber(number), hash, parentHash, timestamp: hexNumber(timestamp), ...baseFee }
}

function formatLog({ address, topics, data, blockNumber, blockHash, index, transactionHash, removed }: Log): object {
  const place = { blockNumber: hexNumber(blockNumber), blockHash, logIndex: hexNumber(index), transactionHash, removed }
  return { address, topics, data, ...place }
}

function formatReceipt(receipt: TransactionReceipt | null): object | null {
  if (receipt === null) return null
  const { hash, status, blockNumber, gasUsed } = receipt
  const statusHex: Hex | null = status === null ? null : hexNumber(status)
  return { transactionHash: hash, status: statusHex, blockNumber: hexNumber(blockNumber), gasUsed: hexNumber(gasUsed) }
}

function unsupported(method: string): RpcRejectedError {
  return new RpcRejectedError({ method, rpcCode: -32601, rpcMessage: "an ethers Provider has no such method" })
}
