import { IndexOutOfRangeError } from "../errors/merkle.ts"
import { BatchMissingError } from "../errors/manufacturer.ts"
import type { LedgerView } from "../ledger/ledger.ts"
import { assertReason } from "../ledger/limits.ts"
import type { Mined } from "../ledger/writer.ts"
import { chunksOf, devicesTarget } from "./context.ts"
import type { WriteContext, WriteOutcome } from "./context.ts"

/**
 * Revokes places of a batch by their bits, 256 places with each word of storage. Bits that are set are left alone; calls are
 * cut to what a transaction can hold.
 *
 * @throws IndexOutOfRangeError for an index at or past the batch's size; BatchMissingError
 */
export async function revokePlaces(
  context: WriteContext,
  manufacturerId: number,
  series: number,
  indices: Iterable<number>,
  reason: number,
): Promise<WriteOutcome> {
  assertReason(reason)
  const view = await context.ledger.at("latest")
  const batch = await view.batch(manufacturerId, series)
  if (batch === undefined) throw new BatchMissingError({ manufacturerId, series })
  const masks = new Map<number, bigint>()
  let asked = 0
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= batch.size) {
      throw new IndexOutOfRangeError({ index, size: batch.size })
    }
    const word = Math.floor(index / 256)
    masks.set(word, (masks.get(word) ?? 0n) | (1n << BigInt(index % 256)))
    asked += 1
  }
  const todo = await clearBits(view, manufacturerId, series, masks)
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "revokeWords",
        args: [manufacturerId, series, chunk.map(({ word }) => word), chunk.map(({ mask }) => mask), reason],
        seenAt: view.block.number,
      }),
    )
  }
  const newBits = todo.reduce((sum, { mask }) => sum + bitCount(mask), 0)
  return { transactions, alreadyDone: asked - newBits }
}

/** The words in which bits are still clear, in ascending order. */
async function clearBits(
  view: LedgerView,
  manufacturerId: number,
  series: number,
  masks: ReadonlyMap<number, bigint>,
): Promise<{ word: number; mask: bigint }[]> {
  const words = [...masks.keys()].sort((a, b) => a - b)
  const set = await Promise.all(words.map((word) => view.word(manufacturerId, series, word)))
  return words
    .map((word, i) => ({ word, mask: (masks.get(word) ?? 0n) & ~(set[i] ?? 0n) }))
    .filter(({ mask }) => mask !== 0n)
}

function bitCount(mask: bigint): number {
  let count = 0
  for (let rest = mask; rest !== 0n; rest &= rest - 1n) count += 1
  return count
}
