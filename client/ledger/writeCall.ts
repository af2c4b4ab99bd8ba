import type { Abi, ContractFunctionArgs, ContractFunctionName } from "viem"
import type { Hex } from "../crypto/hex.ts"
import type { Deployment } from "./deployment.ts"
import type { Journal } from "./journal.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"

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
 * Who pays. A `signTransaction` payer (viem's local accounts are ones) lets the writer journal each transaction before it is sent,
 * so that a run that was killed never pays twice; a `sendTransaction` payer (a wallet) signs and sends by itself, and cannot
 * promise that.
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
  /** After how long a transaction is offered again, for a quarter more where the cap allows, in seconds. Default: 30. */
  raiseAfterSeconds?: number
  /** How long a node's receipts may lag behind its account nonces, in seconds. Default: 5. */
  receiptLagSeconds?: number
}

/** A call that changes a contract. */
export type WriteCall<abi extends Abi, name extends ContractFunctionName<abi, "nonpayable">> = {
  to: Hex
  abi: abi
  functionName: name
  args: ContractFunctionArgs<abi, "nonpayable", name>
  /**
   * What the call brings about, in words that are the same in every run. Needed where the call data is not: a signature made anew
   * is another one. Default: the call data.
   */
  intent?: string
  /**
   * The block at which the caller saw that this is still to be done. A transaction of an earlier run that was mined after it is then
   * this very deed.
   */
  seenAt?: number
  /**
   * Whether doing it twice would be wrong and the ledger's state does not show that it was done: then a run that was killed after
   * its transaction was mined gets that transaction as its answer when it is run again, until `LedgerWriter.forget` is called.
   */
  once?: boolean
}

/** A {@link WriteCall} whose types were checked already. */
export type UntypedCall = Required<Pick<WriteCall<Abi, string>, "to" | "abi" | "functionName">> & {
  args: readonly unknown[]
  intent?: string
  seenAt?: number
  once?: boolean
}
