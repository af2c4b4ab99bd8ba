import type { Subject, WriteOutcome } from "../../../client/index.ts"
import type { MarkTarget } from "../input/subjects.ts"
import type { Answer } from "../runCommand.ts"
import { printable } from "./printable.ts"
import { transactionJson, transactionText } from "./transactions.ts"

/** What a command marked. */
export type Marked = {
  manufacturerId: number
  /** "revoked", "put on hold", … */
  done: string
  targets: readonly MarkTarget[]
  /** Device key ids that were marked beside the credentials. */
  keys: readonly Subject[]
  outcome: WriteOutcome
  /** What else a person should know. */
  notes?: readonly string[]
}

/** The answer of `revoke`, `hold` and `unhold` about credentials and device keys. */
export function markedAnswer({ manufacturerId, done, targets, keys, outcome, notes = [] }: Marked): Answer {
  const unchecked = targets.filter(({ certificate }) => certificate === undefined).map(({ given }) => given)
  const all = [
    ...notes,
    ...(unchecked.length === 0
      ? []
      : [`taken as credential hashes, and nobody checked that there are such credentials: ${unchecked.join(", ")}`]),
  ]
  return {
    json: {
      manufacturer: manufacturerId,
      credentials: targets.map(({ given, subject, certificate }) => ({
        given,
        credentialHash: subject.subject,
        series: subject.series ?? null,
        index: subject.index ?? null,
        checked: certificate !== undefined,
      })),
      deviceKeyIds: keys.map(({ subject }) => subject),
      transactions: outcome.transactions.map(transactionJson),
      alreadyDone: outcome.alreadyDone,
      notes: all,
    },
    text: () =>
      [
        ...targets.map(({ given }) => `${done}: ${printable(given)}`),
        ...keys.map(({ subject }) => `${done}: device key ${subject}`),
        ...(outcome.alreadyDone > 0 ? [`of these, ${outcome.alreadyDone} were so already`] : []),
        ...all.map((note) => `note: ${printable(note)}`),
        ...outcome.transactions.map(transactionText),
      ].join("\n"),
  }
}

/** The answer about a whole batch, or places in it. */
export function batchMarkedAnswer(
  manufacturerId: number,
  what: { series: number; places?: number },
  done: string,
  outcome: WriteOutcome,
): Answer {
  const { series, places } = what
  const text = places === undefined ? `batch ${series}` : `${places} places of batch ${series}`
  return {
    json: {
      manufacturer: manufacturerId,
      series,
      ...(places === undefined ? {} : { places }),
      transactions: outcome.transactions.map(transactionJson),
      alreadyDone: outcome.alreadyDone,
    },
    text: () => {
      const already = outcome.alreadyDone > 0 ? ` (already so: ${outcome.alreadyDone})` : ""
      return [`${done}: ${text}${already}`, ...outcome.transactions.map(transactionText)].join("\n")
    },
  }
}
