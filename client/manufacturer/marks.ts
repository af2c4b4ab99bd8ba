import type { Hex } from "../crypto/hex.ts"
import { AlreadyRevokedError, NotOnHoldError } from "../errors/manufacturer.ts"
import type { CredentialRecord, LedgerView } from "../ledger/ledger.ts"
import type { Mined } from "../ledger/writer.ts"
import { assertReason, assertUint32, chunksOf, devicesTarget } from "./context.ts"
import type { WriteContext, WriteOutcome } from "./context.ts"

/** A subject to mark: a credential hash or a device key id, and its place if it has one. */
export type Subject = { readonly subject: Hex; readonly series?: number; readonly index?: number }

/** A credential to register by itself. `notAfter` in Unix seconds; left out: the certificate says it. */
export type LoneCredential = { readonly credentialHash: Hex; readonly notAfter?: number }

/** Registers credentials of an open issuer one by one, many in a transaction; those that are there are left alone. */
export async function registerCredentials(
  context: WriteContext,
  manufacturerId: number,
  keyIndex: number,
  credentials: readonly LoneCredential[],
): Promise<WriteOutcome> {
  const todo = await pending(
    context,
    manufacturerId,
    credentials,
    (c) => c.credentialHash,
    (r) => r.registeredAt !== undefined,
  )
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "registerCredentials",
        args: [manufacturerId, keyIndex, chunk.map((c) => c.credentialHash), chunk.map((c) => c.notAfter ?? 0)],
      }),
    )
  }
  return { transactions, alreadyDone: todo.alreadyDone }
}

export type RevokeParameters = {
  /** RFC 5280 CRLReason: 0 to 5, 9 or 10. */
  reason: number
  /** When the keys are thought to have been lost; for information. */
  invalidityDate?: Date
}

/** Revokes credentials or device keys, for ever. Those revoked before are left alone. */
export async function revokeSubjects(
  context: WriteContext,
  manufacturerId: number,
  subjects: readonly Subject[],
  { reason, invalidityDate }: RevokeParameters,
): Promise<WriteOutcome> {
  assertReason(reason)
  const todo = await pending(
    context,
    manufacturerId,
    subjects,
    (s) => s.subject,
    (r) => r.mark === "revoked",
  )
  const date = invalidityDate === undefined ? 0 : Math.floor(invalidityDate.getTime() / 1000)
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "revoke",
        args: [manufacturerId, chunk.map(targetOf), reason, date],
      }),
    )
  }
  return { transactions, alreadyDone: todo.alreadyDone }
}

/** Puts credentials or device keys on hold. Those on hold are left alone. @throws AlreadyRevokedError */
export async function holdSubjects(
  context: WriteContext,
  manufacturerId: number,
  subjects: readonly Subject[],
): Promise<WriteOutcome> {
  const todo = await pending(
    context,
    manufacturerId,
    subjects,
    (s) => s.subject,
    (record) => {
      if (record.mark === "revoked") {
        throw new AlreadyRevokedError({ subject: record.subject, since: new Date(record.changedAt * 1000) })
      }
      return record.mark === "held"
    },
  )
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "hold",
        args: [manufacturerId, chunk.map(targetOf)],
      }),
    )
  }
  return { transactions, alreadyDone: todo.alreadyDone }
}

/**
 * Ends the holds that the ledger shows now. A subject without a mark is left alone.
 *
 * @throws NotOnHoldError for a revoked subject: a revocation cannot be undone.
 */
export async function unholdSubjects(
  context: WriteContext,
  manufacturerId: number,
  subjects: readonly Subject[],
): Promise<WriteOutcome> {
  const view = await context.ledger.at("latest")
  const records = await Promise.all(subjects.map(({ subject }) => view.record(manufacturerId, subject)))
  const held: { target: ReturnType<typeof targetOf>; since: number }[] = []
  records.forEach((record, i) => {
    if (record.mark === "revoked") throw new NotOnHoldError({ subject: record.subject, mark: record.mark })
    if (record.mark === "held") held.push({ target: targetOf(subjects[i] as Subject), since: record.changedAt })
  })
  const transactions: Mined[] = []
  for (const chunk of chunksOf(held)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "unhold",
        args: [manufacturerId, chunk.map(({ target }) => target), chunk.map(({ since }) => since)],
      }),
    )
  }
  return { transactions, alreadyDone: subjects.length - held.length }
}

/**
 * Revokes places of a batch by their bits, 256 places with each word of storage. Bits that are set are left alone; calls are
 * cut to what a transaction can hold.
 *
 * @throws NumberOutOfRangeError for an index at or past the batch's size.
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
  const masks = new Map<number, bigint>()
  let asked = 0
  for (const index of indices) {
    assertUint32(index, "an index")
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
      }),
    )
  }
  const newBits = todo.reduce((sum, { mask }) => sum + bitCount(mask), 0)
  return { transactions, alreadyDone: asked - newBits }
}

/** Revokes a whole batch, for ever. */
export async function revokeBatch(
  context: WriteContext,
  manufacturerId: number,
  series: number,
  reason: number,
): Promise<WriteOutcome> {
  assertReason(reason)
  const batch = await (await context.ledger.at("latest")).batch(manufacturerId, series)
  if (batch?.mark === "revoked") return { transactions: [], alreadyDone: 1 }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "revokeBatch",
    args: [manufacturerId, series, reason],
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

/** Puts a whole batch on hold. @throws AlreadyRevokedError */
export async function holdBatch(context: WriteContext, manufacturerId: number, series: number): Promise<WriteOutcome> {
  const batch = await (await context.ledger.at("latest")).batch(manufacturerId, series)
  if (batch?.mark === "held") return { transactions: [], alreadyDone: 1 }
  if (batch?.mark === "revoked") {
    throw new AlreadyRevokedError({ subject: `batch ${series}`, since: new Date(batch.changedAt * 1000) })
  }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "holdBatch",
    args: [manufacturerId, series],
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

/** Ends the hold that the ledger shows now on a whole batch. @throws NotOnHoldError for a revoked batch. */
export async function unholdBatch(
  context: WriteContext,
  manufacturerId: number,
  series: number,
): Promise<WriteOutcome> {
  const batch = await (await context.ledger.at("latest")).batch(manufacturerId, series)
  if (batch?.mark === "revoked") throw new NotOnHoldError({ subject: `batch ${series}`, mark: batch.mark })
  if (batch?.mark === "none") return { transactions: [], alreadyDone: 1 }
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "unholdBatch",
    args: [manufacturerId, series, batch?.changedAt ?? 0],
  })
  return { transactions: [transaction], alreadyDone: 0 }
}

function targetOf({ subject, series = 0, index = 0 }: Subject): { subject: Hex; series: number; index: number } {
  assertUint32(series, "a series")
  assertUint32(index, "an index")
  return { subject, series, index }
}

/** The items whose records are not yet as wanted; each once. */
async function pending<T>(
  context: WriteContext,
  manufacturerId: number,
  items: readonly T[],
  subjectOf: (item: T) => Hex,
  isDone: (record: CredentialRecord) => boolean,
): Promise<{ items: T[]; alreadyDone: number }> {
  const view = await context.ledger.at("latest")
  const unique = [...new Map(items.map((item) => [subjectOf(item), item])).values()]
  const records = await Promise.all(unique.map((item) => view.record(manufacturerId, subjectOf(item))))
  const todo = unique.filter((_, i) => !isDone(records[i] as CredentialRecord))
  return { items: todo, alreadyDone: items.length - todo.length }
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
