import type { Abi, ContractFunctionName } from "viem"
import { concatBytes, fromHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { FleetrootError } from "../errors/base.ts"
import {
  NonceContestedError,
  RpcRejectedError,
  TransactionFailedError,
  TransactionStuckError,
} from "../errors/ledger.ts"
import { encodeCall } from "./abi/functionData.ts"
import { keccakHex } from "./abi/keccakHex.ts"
import { assertChain, currentFees, estimateGas, nonceAt, readReceipt, TRANSACTION_GAS_CAP } from "./chainState.ts"
import type { Mined } from "./chainState.ts"
import { memoryJournal } from "./journal.ts"
import type { JournalEntry } from "./journal.ts"
import { offer } from "./offer.ts"
import type { OfferOutcome } from "./offer.ts"
import { poll } from "./poll.ts"
import { raiseOffer, readSigned } from "./raiseOffer.ts"
import type { LedgerWriterOptions, UntypedCall, WriteCall } from "./writeCall.ts"

export { TRANSACTION_GAS_CAP } from "./chainState.ts"
export type { Mined } from "./chainState.ts"
export type { LedgerWriterOptions, Payer, UnsignedTransaction, WriteCall } from "./writeCall.ts"

/** How often a fresh nonce is tried when other senders of the same account are quicker. */
const MOST_ATTEMPTS = 5

/** Sends calls to the contracts, one after another: simulated first, journalled, re-offered when stuck, waited for. */
export class LedgerWriter {
  readonly address: Hex
  readonly #options: Required<LedgerWriterOptions>
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: LedgerWriterOptions) {
    this.address = options.payer.address.toLowerCase() as Hex
    this.#options = {
      journal: memoryJournal(),
      feeCapWei: 500_000_000_000n,
      timeoutSeconds: 300,
      raiseAfterSeconds: 30,
      receiptLagSeconds: 5,
      ...options,
    }
  }

  /**
   * Sends one call and waits until it is mined.
   *
   * @throws ContractRevertedError when the contract would refuse it: nothing was sent.
   * @throws GasCapExceededError when no transaction could hold it; FeeCapExceededError when gas costs more than allowed.
   * @throws TransactionStuckError when no block took it in time; calling again goes on waiting for the same transaction.
   * @throws TransactionFailedError when it was mined and reverted.
   * @throws NonceContestedError when others kept using the account at the same time.
   */
  write<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<Mined> {
    return this.#inTurn(() => this.#write(call as unknown as UntypedCall))
  }

  /** What an earlier run that was killed did about this call, waited for if need be; undefined if there is nothing. */
  resume<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<Mined | undefined> {
    return this.#inTurn(() => this.#resume(call as unknown as UntypedCall))
  }

  /** Forgets a call that may be done `once`, because whoever wanted it has its result: the next one with its words is another. */
  forget<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<void> {
    return this.#inTurn(() => this.#options.journal.remove(this.#idOf(call as unknown as UntypedCall)))
  }

  /** What a call would cost; throws as {@link write} does when it would be refused. */
  estimateGas<const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">>(
    call: WriteCall<abi, name>,
  ): Promise<bigint> {
    const { to, functionName } = call
    const data = encodeCall(call as unknown as UntypedCall)
    return estimateGas(this.#options.rpc, { from: this.address, to, data, functionName })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work)
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #write(call: UntypedCall): Promise<Mined> {
    return (await this.#resume(call)) ?? (await this.#send(call))
  }

  /** Brings what earlier runs left behind into order; returns what they did about this call. */
  async #resume(call: UntypedCall): Promise<Mined | undefined> {
    const { rpc, deployment, journal } = this.#options
    await assertChain(rpc, deployment.chainId)
    const id = this.#idOf(call)
    for (const entry of await this.#ownEntries()) {
      const receipt = await this.#receiptOf(entry)
      if (entry.id === id) {
        if (receipt === undefined) {
          const current = await this.#offerAgain(entry)
          return current && this.#follow(current, call.functionName)
        }
        const meant = receipt.ok && stillMeant(call, receipt.mined)
        if (!meant || !entry.once) await journal.remove(id)
        if (meant) return receipt.mined
      } else if (receipt === undefined) {
        // Nothing of ours can be mined before it: its nonce comes first.
        const current = await this.#offerAgain(entry)
        if (current !== undefined) await this.#waitForOther(current)
      } else if (!entry.once || !receipt.ok) {
        // Callers look at the ledger's state first: what they saw mined must not stand in for a later call with the same words.
        await journal.remove(entry.id)
      }
    }
    return undefined
  }

  /** An earlier run's transaction, offered once more: for more if that is what it lacks. Undefined if no node will have it. */
  async #offerAgain(entry: JournalEntry): Promise<JournalEntry | undefined> {
    const { rpc, journal } = this.#options
    const outcome = await offer(rpc, entry.raw)
    if (outcome.state !== "refused") return entry
    const raised = /fee|underpriced/i.test(outcome.error.message) ? await this.#raise(entry) : undefined
    if (raised === undefined) await journal.remove(entry.id)
    return raised
  }

  /** Waits for a transaction of another call; what became of it, its own caller will ask. */
  async #waitForOther(entry: JournalEntry): Promise<void> {
    try {
      await this.#follow(entry, "an earlier call")
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error
    }
  }

  async #send(call: UntypedCall): Promise<Mined> {
    const { payer, rpc, deployment, journal, feeCapWei } = this.#options
    const { to, functionName } = call
    const data = encodeCall(call)
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const estimate = await estimateGas(rpc, { from: this.address, to, data, functionName })
      // A little room, because the state may change before the block.
      const roomy = (estimate * 115n) / 100n
      const gas = roomy > TRANSACTION_GAS_CAP ? TRANSACTION_GAS_CAP : roomy
      if ("sendTransaction" in payer) {
        return this.#waitForSent(await payer.sendTransaction({ to, data, gas }), functionName)
      }
      const fees = await currentFees(rpc, feeCapWei)
      const { chainId } = deployment
      const nonce = await this.#nextNonce()
      const raw = await payer.signTransaction({ type: "eip1559", chainId, nonce, to, data, gas, ...fees })
      const hashes = [keccakHex(raw)]
      const once = call.once === true
      const entry: JournalEntry = { id: this.#idOf(call), chainId, from: this.address, nonce, raw, hashes, once }
      await journal.put(entry)
      if (await this.#offerFresh(entry)) {
        const mined = await this.#follow(entry, functionName)
        if (mined !== undefined) return mined
      }
    }
    throw new NonceContestedError({ account: this.address, attempts: MOST_ATTEMPTS })
  }

  /** Offers a transaction for the first time; false if another one has its nonce, so that it was never sent. */
  async #offerFresh(entry: JournalEntry): Promise<boolean> {
    const { rpc, journal } = this.#options
    let outcome: OfferOutcome
    try {
      outcome = await offer(rpc, entry.raw)
    } catch (error) {
      // Nodes that mine at once report a revert as a refusal; for all others the journal knows that it may be under way.
      if (error instanceof RpcRejectedError && (await this.#receiptOf(entry)) !== undefined) return true
      throw error
    }
    if (outcome.state === "accepted" || (await this.#receiptOf(entry)) !== undefined) return true
    // What counts the nonce as used may have been this very transaction, delivered twice on its way: its receipt will tell.
    if (outcome.state === "nonceTaken" && (await this.#isOvertaken(entry))) return true
    await journal.remove(entry.id)
    if (outcome.state === "refused") throw outcome.error
    return false
  }

  /** Whether a block holds a transaction with this nonce. */
  async #isOvertaken({ nonce }: JournalEntry): Promise<boolean> {
    return (await nonceAt(this.#options.rpc, this.address, "latest")) > nonce
  }

  /** Waits for a journalled transaction. Undefined when it can never be mined, because another one took its nonce. */
  #follow(entry: JournalEntry, functionName: string): Promise<Mined | undefined> {
    const { journal, timeoutSeconds, raiseAfterSeconds, receiptLagSeconds } = this.#options
    let current = entry
    let offeredAt = 0
    let overtakenAt: number | undefined
    return poll(async (seconds) => {
      const receipt = await this.#receiptOf(current)
      if (receipt !== undefined) {
        if (!receipt.ok || !current.once) await journal.remove(current.id)
        if (!receipt.ok) throw new TransactionFailedError({ hash: receipt.mined.hash, functionName })
        return { answer: receipt.mined }
      }
      if (await this.#isOvertaken(current)) {
        // A node may count a transaction before it shows its receipt, and behind one address there may be several nodes.
        overtakenAt ??= seconds
        if (seconds - overtakenAt < receiptLagSeconds) return undefined
        await journal.remove(current.id)
        return { answer: undefined }
      }
      overtakenAt = undefined
      if (seconds > timeoutSeconds) throw await this.#stuck(current)
      if (seconds - offeredAt > raiseAfterSeconds) {
        await this.#fillGap(current)
        const raised = await this.#raise(current)
        if (raised === undefined) await this.#reoffer(current)
        current = raised ?? current
        offeredAt = seconds
      }
      return undefined
    })
  }

  /** Offers the same transaction for more, if the cap allows it; what it is then. */
  async #raise(entry: JournalEntry): Promise<JournalEntry | undefined> {
    const raised = await raiseOffer(entry, this.#options)
    if (raised === undefined) return undefined
    await this.#options.journal.put(raised)
    await this.#reoffer(raised)
    return raised
  }

  /**
   * A lower nonce whose transaction no node has any more (another program's, or one that was dropped for its price) bars this one
   * for ever: an empty transaction takes it. Where the node has one after all, it has no reason to prefer the empty one.
   */
  async #fillGap({ nonce, raw }: JournalEntry): Promise<void> {
    const { payer, rpc } = this.#options
    const barred = await readSigned(raw)
    const missing = await nonceAt(rpc, this.address, "pending")
    if (missing >= nonce || barred === undefined || !("signTransaction" in payer)) return
    const nothing = { to: this.address, data: "0x" } as const
    const gas = await estimateGas(rpc, { ...nothing, from: this.address, functionName: "nothing" })
    const empty = await payer.signTransaction({ ...barred, ...nothing, nonce: missing, gas })
    try {
      await offer(rpc, empty)
    } catch (error) {
      if (!(error instanceof RpcRejectedError)) throw error
    }
  }

  /** Says it again. Whatever the node answers, one of the forms may still be mined. */
  async #reoffer(entry: JournalEntry): Promise<void> {
    try {
      await offer(this.#options.rpc, entry.raw)
    } catch (error) {
      if (!(error instanceof RpcRejectedError)) throw error
    }
  }

  #waitForSent(hash: Hex, functionName: string): Promise<Mined> {
    const { rpc, timeoutSeconds } = this.#options
    return poll(async (seconds) => {
      const receipt = await readReceipt(rpc, hash)
      if (receipt?.ok === true) return { answer: receipt.mined }
      if (receipt !== undefined) throw new TransactionFailedError({ hash, functionName })
      if (seconds > timeoutSeconds) throw new TransactionStuckError({ hash, waitedSeconds: timeoutSeconds, feeWei: 0n })
      return undefined
    })
  }

  async #nextNonce(): Promise<number> {
    const pending = await nonceAt(this.#options.rpc, this.address, "pending")
    const journalled = (await this.#ownEntries()).map((entry) => entry.nonce + 1)
    return Math.max(pending, ...journalled)
  }

  async #ownEntries(): Promise<JournalEntry[]> {
    const { chainId } = this.#options.deployment
    const entries = await this.#options.journal.entries()
    const own = entries.filter((entry) => entry.from === this.address && entry.chainId === chainId)
    return own.sort((a, b) => a.nonce - b.nonce)
  }

  async #receiptOf(entry: JournalEntry): ReturnType<typeof readReceipt> {
    for (const hash of entry.hashes) {
      const receipt = await readReceipt(this.#options.rpc, hash)
      if (receipt !== undefined) return receipt
    }
    return undefined
  }

  async #stuck(entry: JournalEntry): Promise<TransactionStuckError> {
    const hash = entry.hashes.at(-1) ?? "0x"
    const feeWei = (await readSigned(entry.raw))?.maxFeePerGas ?? 0n
    return new TransactionStuckError({ hash, waitedSeconds: this.#options.timeoutSeconds, feeWei })
  }

  #idOf({ to, intent, functionName, ...call }: UntypedCall): Hex {
    const { chainId } = this.#options.deployment
    const context = new TextEncoder().encode(`${chainId}:${this.address}:${to}:${intent ?? ""}:`)
    const deed =
      intent === undefined ? fromHex(encodeCall({ ...call, functionName })) : new TextEncoder().encode(functionName)
    return keccakHex(concatBytes(context, deed))
  }
}

/** Whether a transaction that an earlier run sent is this very call: a caller that had seen it mined means another one. */
function stillMeant({ once, seenAt }: UntypedCall, { blockNumber }: Mined): boolean {
  return once === true || (seenAt !== undefined && blockNumber > seenAt)
}

/** Whether an error is a contract's refusal with this custom error. */
export function isRevert(error: unknown, errorName: string): boolean {
  return error instanceof FleetrootError && (error as { errorName?: string }).errorName === errorName
}
