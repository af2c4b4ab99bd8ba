import { FleetrootError } from "../errors/base.ts"
import type { BatchRow, UnreadableRow } from "./batchRow.ts"

/** The row that `make` makes, or the bad row that its error stands for. */
export function toRow(source: string, make: () => BatchRow): BatchRow {
  try {
    return make()
  } catch (error) {
    return badRow(source, error)
  }
}

/** The bad row that an error stands for. Errors that are not ours are defects, and go on. */
export function badRow(source: string, error: unknown): UnreadableRow {
  if (error instanceof FleetrootError) return { source, error }
  throw error
}
