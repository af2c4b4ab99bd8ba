import { encodeFunctionData, keccak256 } from "viem/utils"
import type { Abi, ContractFunctionArgs, ContractFunctionName } from "viem"
import { fromHex, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import {
  ChainMismatchError,
  GasCapExceededError,
  ReplyMalformedError,
  RpcRejectedError,
  TransactionFailedError,
  TransactionStuckError,
} from "../errors/ledger.ts"
import { FleetrootError } from "../errors/base.ts"
import { decodeRevert } from "./contractCalls.ts"
import type { Deployment } from "./deployment.ts"
import { hexNumber } from "./events.ts"
import { memoryJournal } from "./journal.ts"
import type { Journal, JournalEntry } from "./journal.ts"
import { parseBigQuantity, parseQuantity } from "./rpcBlock.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"

/** The most gas that a transaction may use: EIP-7825. */
export const TRANSACTION_GAS_CAP = 16_777_216n

/** An EIP-1559 transaction, ready to be signed. */
export type UnsignedTransaction = {
  readonly type: "eip1559"
  readonly chainId: number
  readonly nonce: number
  readonly to: Hex
  readonly data: Hex
  readonly gas: bigint
  readonly maxFeePerGas: bigint
  readonly maxPriorityFeePerGas: bigint
}

/**
 * Who pays. A `signer` (viem's local accounts are ones) lets the writer journal each transaction before it is sent, so that a
 * run that was killed never pays twice; a `sender` (a wallet, ethers) signs and sends by itself, and cannot promise that.
 */
export type Payer =
  | { readonly address: Hex; signTransaction(transaction: UnsignedTransaction): Promise<Hex> }
  | { readonly address: Hex; sendTransaction(transaction: { to: Hex; data: Hex; gas: bigint }): Promise<Hex> }

export type LedgerWriterOptions = {
  deployment: Deployment
  rpc: JsonRpc
  payer: Payer
  /** Where transactions on their way are kept. Default: in memory, which forgets them when the process dies. */
  journal?: Journal
  /** Most wei for one gas. Default: 500 gwei. */
  feeCapWei?: bigint
  /** How long to wait for a block, in seconds. Default: 300. */
  timeoutSeconds?: number
  /** After how long a transaction is offered again for a quarter more, in seconds. Default: 30. */
  raiseAfterSeconds?: number
}

/** A transaction that was mined. */
export type Mined = { readonly hash: Hex; readonly blockNumber: number; readonly gasUsed: bigint }

/** A call that changes a contract. */
export type WriteCall<abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">> = {
  to: Hex
  abi: abi
  functionName: name
  args: ContractFunctionArgs<abi, "nonpayable", name>
  /**
   * Whether doing it twice would be wrong and the ledger's state does not show that it was done: then a run that was killed after
   * its transaction was mined gets that transaction as its answer when it is run again.
   */
  once?: boolean
}

/** Sends calls to the contracts, one after another: simulated first, journalled, re-offered when stuck, waited for. */
export class LedgerWriter {
  readonly address: Hex
  readonly #options: Required<LedgerWriterOptions>
  #queue: Promise<unknown> = Promise.resolve()
  #recovered = false

  constructor(options: LedgerWriterOptions) {
    this.address = options.payer.address.toLowerCase() as Hex
    this.#options = {
      journal: memoryJournal(),
      feeCapWei: 500_000_000_000n,
      timeoutSeconds: 300,
      raiseAfterSeconds: 30,
      ...options,
    }
  }

  /**
   * Sends one call and waits until it is mined.
   *
   * @throws ContractRevertedError when the contract would refuse it: nothing was sent.
   * @throws GasCapExceededError when no transaction could hold it.
   * @throws TransactionStuckError when no block took it in time; calling again goes on waiting for the same transaction.
   * @throws TransactionFailedError when it was mined and reverted.
   */
  write<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<Mined> {
    const turn = this.#queue.then(() => this.#write(call as unknown as UntypedCall))
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  /** What a call would cost; throws as {@link write} does when it would be refused. */
  async estimateGas<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<bigint> {
    const { to, functionName } = call
    return this.#estimate(to, encodeFunctionData(call as never), String(functionName))
  }

  async #write(call: UntypedCall): Promise<Mined> {
    await this.#recover()
    const { to, functionName } = call
    const data = encodeFunctionData(call as never)
    const id = this.#idOf(to, data)
    const earlier = (await this.#options.journal.entries()).find((entry) => entry.id === id)
    const mined = earlier === undefined ? undefined : await this.#follow(earlier, functionName)
    return mined ?? this.#send(id, to, data, functionName, call.once === true)
  }

  /** Once per process: what an earlier run signed is offered again, so that no nonce below ours is missing. */
  async #recover(): Promise<void> {
    if (this.#recovered) return
    const chainId = parseQuantity(await this.#request("eth_chainId"), "eth_chainId")
    const expected = this.#options.deployment.chainId
    if (chainId !== expected) throw new ChainMismatchError({ expected, found: chainId })
    for (const entry of await this.#options.journal.entries()) {
      if (entry.from !== this.address || entry.chainId !== expected) continue
      const receipt = await this.#receiptOf(entry)
      if (receipt === undefined) await this.#offer(entry.raw)
      // Callers look at the ledger's state first, so what was mined must not stand in for a later call with the same words.
      else if (!entry.once || !receipt.ok) await this.#options.journal.remove(entry.id)
    }
    this.#recovered = true
  }

  async #send(id: Hex, to: Hex, data: Hex, functionName: string, once: boolean): Promise<Mined> {
    const { payer } = this.#options
    const estimate = await this.#estimate(to, data, functionName)
    // A little room, because the state may change before the block.
    const roomy = (estimate * 115n) / 100n
    const gas = roomy > TRANSACTION_GAS_CAP ? TRANSACTION_GAS_CAP : roomy
    if ("sendTransaction" in payer) {
      const hash = await payer.sendTransaction({ to, data, gas })
      return this.#waitForSent(hash, functionName)
    }
    const nonce = await this.#nextNonce()
    const { maxFeePerGas, maxPriorityFeePerGas } = await this.#fees()
    const chainId = this.#options.deployment.chainId
    const unsigned: UnsignedTransaction = {
      type: "eip1559",
      chainId,
      nonce,
      to,
      data,
      gas,
      maxFeePerGas,
      maxPriorityFeePerGas,
    }
    const raw = await payer.signTransaction(unsigned)
    const entry: JournalEntry = { id, chainId, from: this.address, nonce, raw, hashes: [keccak256(raw)], once }
    await this.#options.journal.put(entry)
    await this.#offer(raw, entry)
    const mined = await this.#follow(entry, functionName, unsigned)
    if (mined === undefined) {
      throw new TransactionFailedError({ hash: keccak256(raw), functionName })
    }
    return mined
  }

  /**
   * Waits for a journalled transaction. Undefined when it can never be mined, because another one took its nonce: the caller
   * may start anew.
   */
  async #follow(entry: JournalEntry, functionName: string, unsigned?: UnsignedTransaction): Promise<Mined | undefined> {
    const { journal, timeoutSeconds, raiseAfterSeconds } = this.#options
    const started = Date.now()
    let current = entry
    let raisedAt = started
    let transaction = unsigned
    for (let pause = 40; ; pause = Math.min(pause * 1.5, 2_000)) {
      const receipt = await this.#receiptOf(current)
      if (receipt !== undefined) {
        await journal.remove(current.id)
        if (!receipt.ok) throw new TransactionFailedError({ hash: receipt.mined.hash, functionName })
        return receipt.mined
      }
      if ((await this.#nonceAt("latest")) > current.nonce && (await this.#receiptOf(current)) === undefined) {
        await journal.remove(current.id)
        return undefined
      }
      const waited = Date.now() - started
      if (waited > timeoutSeconds * 1000) {
        const feeWei = transaction?.maxFeePerGas ?? 0n
        throw new TransactionStuckError({ hash: current.hashes.at(-1) ?? "", waitedSeconds: timeoutSeconds, feeWei })
      }
      if (transaction !== undefined && Date.now() - raisedAt > raiseAfterSeconds * 1000) {
        const raised = await this.#raise(current, transaction)
        if (raised !== undefined) ({ current, transaction } = raised)
        raisedAt = Date.now()
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  /** The same transaction for a quarter more on the same nonce, if the cap allows. */
  async #raise(
    entry: JournalEntry,
    transaction: UnsignedTransaction,
  ): Promise<{ current: JournalEntry; transaction: UnsignedTransaction } | undefined> {
    const { payer, journal, feeCapWei } = this.#options
    const maxFeePerGas = (transaction.maxFeePerGas * 5n) / 4n + 1n
    const maxPriorityFeePerGas = (transaction.maxPriorityFeePerGas * 5n) / 4n + 1n
    if (maxFeePerGas > feeCapWei || !("signTransaction" in payer)) return undefined
    const raised = { ...transaction, maxFeePerGas, maxPriorityFeePerGas }
    const raw = await payer.signTransaction(raised)
    const current = { ...entry, raw, hashes: [...entry.hashes, keccak256(raw)] }
    await journal.put(current)
    await this.#offer(raw)
    return { current, transaction: raised }
  }

  /** Hands a signed transaction to the node. Saying it twice does no harm. */
  async #offer(raw: Hex, fresh?: JournalEntry): Promise<void> {
    try {
      await this.#request("eth_sendRawTransaction", [raw])
    } catch (error) {
      const known =
        /already known|already imported|known transaction|nonce too low|replacement|already exists|nonce.*(used|low)/i
      if (error instanceof RpcRejectedError) {
        if (known.test(error.message)) return
        // Refused outright: it will never be mined, so nothing is on its way.
        if (fresh !== undefined) await this.#options.journal.remove(fresh.id)
      }
      throw error
    }
  }

  async #waitForSent(hash: Hex, functionName: string): Promise<Mined> {
    const { timeoutSeconds } = this.#options
    const started = Date.now()
    for (let pause = 40; ; pause = Math.min(pause * 1.5, 2_000)) {
      const receipt = await this.#receipt(hash)
      if (receipt?.ok === true) return receipt.mined
      if (receipt !== undefined) throw new TransactionFailedError({ hash, functionName })
      if (Date.now() - started > timeoutSeconds * 1000) {
        throw new TransactionStuckError({ hash, waitedSeconds: timeoutSeconds, feeWei: 0n })
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  async #estimate(to: Hex, data: Hex, functionName: string): Promise<bigint> {
    const call = { from: this.address, to, data, gas: hexNumber(TRANSACTION_GAS_CAP) }
    try {
      return parseBigQuantity(await this.#request("eth_estimateGas", [call]), "eth_estimateGas")
    } catch (error) {
      const revert = decodeRevert(error, functionName)
      if (revert !== undefined) throw revert
      if (error instanceof RpcRejectedError && /out of gas|gas required exceeds|exceeds.*gas/i.test(error.message)) {
        throw new GasCapExceededError({ functionName, gas: TRANSACTION_GAS_CAP + 1n, cap: TRANSACTION_GAS_CAP })
      }
      throw error
    }
  }

  async #fees(): Promise<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }> {
    const block = (await this.#request("eth_getBlockByNumber", ["latest", false])) as { baseFeePerGas?: unknown } | null
    const baseFee = block?.baseFeePerGas === undefined ? 0n : parseBigQuantity(block.baseFeePerGas, "baseFeePerGas")
    let tip = 1_000_000_000n
    try {
      tip = parseBigQuantity(await this.#request("eth_maxPriorityFeePerGas"), "eth_maxPriorityFeePerGas")
    } catch (error) {
      // Not every node has the method; a gwei is then what wallets offer.
      if (!(error instanceof RpcRejectedError)) throw error
    }
    const { feeCapWei } = this.#options
    const wanted = baseFee * 2n + tip
    const maxFeePerGas = wanted > feeCapWei ? feeCapWei : wanted
    return { maxFeePerGas, maxPriorityFeePerGas: tip > maxFeePerGas ? maxFeePerGas : tip }
  }

  async #nextNonce(): Promise<number> {
    const pending = await this.#nonceAt("pending")
    const journalled = (await this.#options.journal.entries())
      .filter((entry) => entry.from === this.address && entry.chainId === this.#options.deployment.chainId)
      .map((entry) => entry.nonce + 1)
    return Math.max(pending, ...journalled)
  }

  async #nonceAt(tag: "latest" | "pending"): Promise<number> {
    return parseQuantity(await this.#request("eth_getTransactionCount", [this.address, tag]), "eth_getTransactionCount")
  }

  async #receiptOf(entry: JournalEntry): Promise<{ ok: boolean; mined: Mined } | undefined> {
    for (const hash of entry.hashes) {
      const receipt = await this.#receipt(hash)
      if (receipt !== undefined) return receipt
    }
    return undefined
  }

  async #receipt(hash: Hex): Promise<{ ok: boolean; mined: Mined } | undefined> {
    const reply = await this.#request("eth_getTransactionReceipt", [hash])
    if (reply === null) return undefined
    const { status, blockNumber, gasUsed, transactionHash } = reply as Record<string, unknown>
    if (transactionHash !== hash || (status !== "0x0" && status !== "0x1")) {
      throw new ReplyMalformedError({
        what: "a receipt",
        expected: `that of ${hash}`,
        found: JSON.stringify(transactionHash),
      })
    }
    const mined = {
      hash,
      blockNumber: parseQuantity(blockNumber, "receipt.blockNumber"),
      gasUsed: parseBigQuantity(gasUsed, "receipt.gasUsed"),
    }
    return { ok: status === "0x1", mined }
  }

  #idOf(to: Hex, data: Hex): Hex {
    const context = new TextEncoder().encode(`${this.#options.deployment.chainId}:${this.address}:${to}:`)
    const bytes = fromHex(data)
    const joined = new Uint8Array(context.length + bytes.length)
    joined.set(context)
    joined.set(bytes, context.length)
    return keccak256(toHex(joined))
  }

  #request(method: string, params: readonly unknown[] = []): Promise<unknown> {
    return this.#options.rpc.request({ method, params })
  }
}

type UntypedCall = { to: Hex; abi: Abi; functionName: string; args: readonly unknown[]; once?: boolean }

/** Whether an error is a contract's refusal with this custom error. */
export function isRevert(error: unknown, errorName: string): boolean {
  return error instanceof FleetrootError && (error as { errorName?: string }).errorName === errorName
}
