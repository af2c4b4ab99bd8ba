import { ChainMismatchError, FeeCapExceededError, GasCapExceededError, ReplyMalformedError } from "../errors/ledger.ts"
import { RpcRejectedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { decodeRevert } from "./contractCalls.ts"
import { hexNumber } from "./events.ts"
import { parseBigQuantity, parseQuantity } from "./rpcBlock.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"

/** The most gas that a transaction may use: EIP-7825. */
export const TRANSACTION_GAS_CAP = 16_777_216n

/** A transaction that was mined. */
export type Mined = { readonly hash: Hex; readonly blockNumber: number; readonly gasUsed: bigint }

/** What an EIP-1559 transaction offers for one gas, in wei. */
export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint }

/** @throws ChainMismatchError when the node is on another chain. */
export async function assertChain(rpc: JsonRpc, expected: number): Promise<void> {
  const found = parseQuantity(await rpc.request({ method: "eth_chainId", params: [] }), "eth_chainId")
  if (found !== expected) throw new ChainMismatchError({ expected, found })
}

/** How many transactions of an account are in blocks (`latest`), or there and waiting (`pending`). */
export async function nonceAt(rpc: JsonRpc, account: Hex, tag: "latest" | "pending"): Promise<number> {
  const reply = await rpc.request({ method: "eth_getTransactionCount", params: [account, tag] })
  return parseQuantity(reply, "eth_getTransactionCount")
}

/** What became of a transaction; undefined while no block has it. */
export async function readReceipt(rpc: JsonRpc, hash: Hex): Promise<{ ok: boolean; mined: Mined } | undefined> {
  const reply = await rpc.request({ method: "eth_getTransactionReceipt", params: [hash] })
  if (reply === null || reply === undefined) return undefined
  const { status, blockNumber, gasUsed, transactionHash } = reply as Record<string, unknown>
  const sameHash = typeof transactionHash === "string" && transactionHash.toLowerCase() === hash
  if (!sameHash || (status !== "0x0" && status !== "0x1")) {
    const found = JSON.stringify({ transactionHash, status }).slice(0, 120)
    throw new ReplyMalformedError({ what: "a receipt", expected: `that of ${hash}`, found })
  }
  const mined = {
    hash,
    blockNumber: parseQuantity(blockNumber, "receipt.blockNumber"),
    gasUsed: parseBigQuantity(gasUsed, "receipt.gasUsed"),
  }
  return { ok: status === "0x1", mined }
}

/**
 * Runs a call without sending it.
 *
 * @throws ContractRevertedError when the contract would refuse it.
 * @throws GasCapExceededError when no transaction could hold it.
 */
export async function estimateGas(
  rpc: JsonRpc,
  { from, to, data, functionName }: { from: Hex; to: Hex; data: Hex; functionName: string },
): Promise<bigint> {
  const call = { from, to, data, gas: hexNumber(TRANSACTION_GAS_CAP) }
  try {
    return parseBigQuantity(await rpc.request({ method: "eth_estimateGas", params: [call] }), "eth_estimateGas")
  } catch (error) {
    const revert = decodeRevert(error, functionName)
    if (revert !== undefined) throw revert
    if (error instanceof RpcRejectedError && /out of gas|gas required exceeds|exceeds.*gas/i.test(error.message)) {
      const [gas, cap] = [TRANSACTION_GAS_CAP + 1n, TRANSACTION_GAS_CAP]
      throw new GasCapExceededError({ functionName, gas, cap, cause: error })
    }
    throw error
  }
}

/** What to offer now: twice the base fee and the usual tip, within the cap. @throws FeeCapExceededError */
export async function currentFees(rpc: JsonRpc, feeCapWei: bigint): Promise<Fees> {
  const block = await rpc.request({ method: "eth_getBlockByNumber", params: ["latest", false] })
  const { baseFeePerGas } = (block ?? {}) as { baseFeePerGas?: unknown }
  const baseFeeWei = baseFeePerGas === undefined ? 0n : parseBigQuantity(baseFeePerGas, "block.baseFeePerGas")
  if (baseFeeWei > feeCapWei) throw new FeeCapExceededError({ baseFeeWei, feeCapWei })
  const tip = await currentTip(rpc)
  const wanted = baseFeeWei * 2n + tip
  const maxFeePerGas = wanted > feeCapWei ? feeCapWei : wanted
  return { maxFeePerGas, maxPriorityFeePerGas: tip > maxFeePerGas ? maxFeePerGas : tip }
}

async function currentTip(rpc: JsonRpc): Promise<bigint> {
  try {
    const reply = await rpc.request({ method: "eth_maxPriorityFeePerGas", params: [] })
    return parseBigQuantity(reply, "eth_maxPriorityFeePerGas")
  } catch (error) {
    // Not every node has the method; a gwei is then what wallets offer.
    if (error instanceof RpcRejectedError) return 1_000_000_000n
    throw error
  }
}
