import type { Hex } from "../crypto/hex.ts"
import { FeeCapExceededError } from "../errors/ledger.ts"
import { keccakHex } from "./abi/keccakHex.ts"
import { currentFees } from "./chainState.ts"
import type { Fees } from "./chainState.ts"
import type { JournalEntry } from "./journal.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"
import type { Payer, UnsignedTransaction } from "./writeCall.ts"

type RaiseOptions = { readonly rpc: JsonRpc; readonly payer: Payer; readonly feeCapWei: bigint }

/**
 * A form of the same transaction, on the same nonce, that offers a quarter more, or what gas costs now if that is more still; at
 * most one of its forms is ever mined. Undefined if the cap does not allow it.
 */
export async function raiseOffer(
  entry: JournalEntry,
  { rpc, payer, feeCapWei }: RaiseOptions,
): Promise<JournalEntry | undefined> {
  const last = await readSigned(entry.raw)
  if (last === undefined || !("signTransaction" in payer)) return undefined
  const now = await feesUpToCap(rpc, feeCapWei)
  const raised = (before: bigint, fresh: bigint): bigint => {
    const quarterMore = (before * 5n) / 4n + 1n
    const wanted = quarterMore > fresh ? quarterMore : fresh
    return wanted > feeCapWei ? feeCapWei : wanted
  }
  const maxFeePerGas = raised(last.maxFeePerGas, now.maxFeePerGas)
  const maxPriorityFeePerGas = raised(last.maxPriorityFeePerGas, now.maxPriorityFeePerGas)
  // Nodes replace a transaction only for at least a tenth more.
  if (maxFeePerGas * 10n < last.maxFeePerGas * 11n) return undefined
  const raw = await payer.signTransaction({ ...last, maxFeePerGas, maxPriorityFeePerGas })
  return { ...entry, raw, hashes: [...entry.hashes, keccakHex(raw)] }
}

/** The transaction behind its signed form; undefined for a form that this version does not make. */
export async function readSigned(raw: Hex): Promise<UnsignedTransaction | undefined> {
  // Loaded only when something is stuck: reading programs, and most writing ones, start faster.
  const { parseTransaction } = await import("viem/utils")
  const {
    type,
    chainId,
    nonce = 0,
    to,
    data = "0x",
    gas,
    maxFeePerGas,
    maxPriorityFeePerGas = 0n,
  } = parseTransaction(raw)
  if (type !== "eip1559" || chainId === undefined || gas === undefined || maxFeePerGas === undefined) return undefined
  if (to === undefined || to === null) return undefined
  return { type, chainId, nonce, to, data, gas, maxFeePerGas, maxPriorityFeePerGas }
}

/** What to offer now, or all that is allowed: what is under way already may be mined when gas is cheaper again. */
async function feesUpToCap(rpc: JsonRpc, feeCapWei: bigint): Promise<Fees> {
  try {
    return await currentFees(rpc, feeCapWei)
  } catch (error) {
    if (error instanceof FeeCapExceededError) return { maxFeePerGas: feeCapWei, maxPriorityFeePerGas: 0n }
    throw error
  }
}
