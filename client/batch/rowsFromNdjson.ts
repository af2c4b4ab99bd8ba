import { FleetRowError } from "../errors/batch.ts"
import type { BatchRow } from "./batchRow.ts"
import { HASH_ROW_FIELDS, MAX_HASH_ROW_LENGTH, assertPlainText, parseHashRow } from "./parseHashRow.ts"
import type { HashRowField } from "./parseHashRow.ts"
import { readLines } from "./readLines.ts"
import { toRow } from "./toRow.ts"

/**
 * The rows of an NDJSON of credential hashes, each under "name:line": an object a line, with `credentialHash` and, if
 * known, `notAfter` (a number or a text) and `deviceKeyId`. Other keys, keys twice, escapes and empty lines are refused.
 */
export async function* rowsFromNdjson(
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<BatchRow> {
  for await (const lines of readLines(chunks, MAX_HASH_ROW_LENGTH)) {
    for (const { number, text } of lines) {
      const source = `${name}:${number}`
      yield toRow(source, () => parseHashRow(source, parseLine(text)))
    }
  }
}

function parseLine(text: string | undefined): Partial<Record<HashRowField, string>> {
  assertPlainText(text)
  const value = parseJson(text)
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FleetRowError({ field: "line", reason: "is no JSON object" })
  }
  // JSON.parse keeps the last of two equal keys and forgets how a value was written: writing it again shows both.
  if (JSON.stringify(value) !== text.replace(/[\t ]+/g, "")) {
    throw new FleetRowError({
      field: "line",
      reason: "has a key twice, an escape, or a space or a number in an odd form",
    })
  }
  const entries = Object.entries(value).map(([key, entry]: [string, unknown]) => [fieldOf(key), textOf(key, entry)])
  return Object.fromEntries(entries) as Partial<Record<HashRowField, string>>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new FleetRowError({ field: "line", reason: "is not JSON" })
  }
}

function fieldOf(key: string): HashRowField {
  const field = HASH_ROW_FIELDS.find((known) => known === key)
  if (field !== undefined) return field
  throw new FleetRowError({ field: JSON.stringify(key.slice(0, 80)), reason: "is a key that no row may have" })
}

function textOf(key: string, value: unknown): string {
  if (typeof value === "string") return value
  if (key === "notAfter" && typeof value === "number") return String(value)
  throw new FleetRowError({ field: key, reason: "is no text" })
}
