import { AlreadyRevokedError, BatchMissingError, NotOnHoldError } from "../errors/manufacturer.ts"
import type { Batch } from "../ledger/ledger.ts"
import { assertReason } from "../ledger/limits.ts"
import { devicesTarget } from "./context.ts"
import type { WriteContext, WriteOutcome } from "./context.ts"

/** Revokes a whole batch, for ever. */
export async function revokeBatch(
  context: WriteContext,
  manufacturerId: number,
  series: number,
  reason: number,
): Promise<WriteOutcome> {
  assertReason(reason)
  const { batch, seenAt } = await readBatch(context, manufacturerId, series)
  if (batch.mark === "revoked") return { transactions: [], alreadyDone: 1 }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "revokeBatch",
    args: [manufacturerId, series, reason],
    seenAt,
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

/** Puts a whole batch on hold. @throws AlreadyRevokedError */
export async function holdBatch(context: WriteContext, manufacturerId: number, series: number): Promise<WriteOutcome> {
  const { batch, seenAt } = await readBatch(context, manufacturerId, series)
  if (batch.mark === "held") return { transactions: [], alreadyDone: 1 }
  if (batch.mark === "revoked") {
    throw new AlreadyRevokedError({ subject: `batch ${series}`, since: new Date(batch.changedAt * 1000) })
  }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "holdBatch",
    args: [manufacturerId, series],
    seenAt,
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

/** Ends the hold that the ledger shows now on a whole batch. @throws NotOnHoldError for a revoked batch. */
export async function unholdBatch(
  context: WriteContext,
  manufacturerId: number,
  series: number,
): Promise<WriteOutcome> {
  const { batch, seenAt } = await readBatch(context, manufacturerId, series)
  if (batch.mark === "revoked") throw new NotOnHoldError({ subject: `batch ${series}`, mark: batch.mark })
  if (batch.mark === "none") return { transactions: [], alreadyDone: 1 }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "unholdBatch",
    args: [manufacturerId, series, batch.changedAt],
    seenAt,
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

async function readBatch(
  { ledger }: WriteContext,
  manufacturerId: number,
  series: number,
): Promise<{ batch: Batch; seenAt: number }> {
  const view = await ledger.at("latest")
  const batch = await view.batch(manufacturerId, series)
  if (batch === undefined) throw new BatchMissingError({ manufacturerId, series })
  return { batch, seenAt: view.block.number }
}
