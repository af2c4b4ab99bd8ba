import { HistoryUnavailableError, TimeOutOfRangeError } from "../../errors/ledger.ts"
import type { RpcBlock } from "../rpcBlock.ts"

export type BlockAtTimeOptions<B extends RpcBlock> = {
  readonly timestamp: number
  /** The oldest block that counts: the deployment's. */
  readonly firstNumber: number
  /** The newest final block. */
  readonly newest: B
  readonly byNumber: (number: number) => Promise<B | undefined>
}

/**
 * The last block whose time is at or before `timestamp`.
 *
 * @throws TimeOutOfRangeError, HistoryUnavailableError
 */
export async function blockAtTime<B extends RpcBlock>(options: BlockAtTimeOptions<B>): Promise<B> {
  const { timestamp, firstNumber, newest, byNumber } = options
  const first = await byNumber(firstNumber)
  if (first === undefined) throw new HistoryUnavailableError({ what: `block ${firstNumber}` })
  if (!(timestamp >= first.timestamp && timestamp <= newest.timestamp)) {
    throw new TimeOutOfRangeError({
      at: new Date(timestamp * 1000),
      earliest: new Date(first.timestamp * 1000),
      latest: new Date(newest.timestamp * 1000),
    })
  }
  if (newest.timestamp <= timestamp) return newest
  // `low` is at or before the time, `high` after it.
  let low = first
  let high = newest.number
  while (high - low.number > 1) {
    const middle = await byNumber(Math.floor((low.number + high) / 2))
    if (middle === undefined) throw new HistoryUnavailableError({ what: "a block between two that it has" })
    if (middle.timestamp <= timestamp) low = middle
    else high = middle.number
  }
  return low
}
