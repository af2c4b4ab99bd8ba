import type { Hex } from "../crypto/hex.ts"
import { AlreadyRevokedError, CredentialTakenError, NotOnHoldError } from "../errors/manufacturer.ts"
import type { CredentialRecord } from "../ledger/ledger.ts"
import { assertReason, assertTime, assertUint32, secondsOf } from "../ledger/limits.ts"
import type { Mined } from "../ledger/writer.ts"
import { chunksOf, devicesTarget } from "./context.ts"
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
  assertUint32(keyIndex, "a key's index", 1)
  for (const { notAfter } of credentials) if (notAfter !== undefined) assertTime(notAfter, "a credential's end")
  const todo = await pending(
    context,
    manufacturerId,
    credentials,
    (c) => c.credentialHash,
    (record) => {
      if (record.registeredAt === undefined || record.keyIndex === keyIndex) return record.registeredAt !== undefined
      throw new CredentialTakenError({ credentialHash: record.subject, keyIndex: record.keyIndex })
    },
  )
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "registerCredentials",
        args: [manufacturerId, keyIndex, chunk.map((c) => c.credentialHash), chunk.map((c) => c.notAfter ?? 0)],
        seenAt: todo.seenAt,
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
  const date = invalidityDate === undefined ? 0 : secondsOf(invalidityDate, "the invalidity date")
  const todo = await pending(
    context,
    manufacturerId,
    subjects,
    (s) => s.subject,
    (r) => r.mark === "revoked",
  )
  const transactions: Mined[] = []
  for (const chunk of chunksOf(todo.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "revoke",
        args: [manufacturerId, chunk.map(targetOf), reason, date],
        seenAt: todo.seenAt,
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
        seenAt: todo.seenAt,
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
  const since = new Map<Hex, number>()
  const held = await pending(
    context,
    manufacturerId,
    subjects,
    (s) => s.subject,
    (record) => {
      if (record.mark === "revoked") throw new NotOnHoldError({ subject: record.subject, mark: record.mark })
      since.set(record.subject, record.changedAt)
      return record.mark === "none"
    },
  )
  const transactions: Mined[] = []
  for (const chunk of chunksOf(held.items)) {
    transactions.push(
      await context.writer.write({
        ...devicesTarget(context),
        functionName: "unhold",
        args: [manufacturerId, chunk.map(targetOf), chunk.map(({ subject }) => since.get(subject) ?? 0)],
        seenAt: held.seenAt,
      }),
    )
  }
  return { transactions, alreadyDone: held.alreadyDone }
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
): Promise<{ items: T[]; alreadyDone: number; seenAt: number }> {
  const view = await context.ledger.at("latest")
  const unique = [...new Map(items.map((item) => [subjectOf(item), item])).values()]
  const records = await Promise.all(unique.map((item) => view.record(manufacturerId, subjectOf(item))))
  const todo = unique.filter((_, i) => !isDone(records[i] as CredentialRecord))
  return { items: todo, alreadyDone: items.length - todo.length, seenAt: view.block.number }
}
