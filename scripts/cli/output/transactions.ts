import type { Mined } from "../../../client/index.ts"

export type TransactionJson = { hash: string; blockNumber: number; gasUsed: number }

/** A mined transaction as answers show it; null if none was needed. */
export function transactionJson(transaction: Mined | null): TransactionJson | null {
  if (transaction === null) return null
  const { hash, blockNumber, gasUsed } = transaction
  return { hash, blockNumber, gasUsed: Number(gasUsed) }
}

/** One line about a mined transaction. */
export function transactionText({ hash, blockNumber, gasUsed }: Mined): string {
  return `transaction ${hash}, block ${blockNumber}, ${gasUsed} gas`
}

/** The closing line of a command that may have had nothing to do. */
export function outcomeText(done: string, already: string, transaction: Mined | null): string {
  return transaction === null ? already : `${done}\n${transactionText(transaction)}`
}
