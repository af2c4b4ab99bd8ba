import { FleetHeaderError, FleetRowError } from "../errors/batch.ts"
import type { BatchRow } from "./batchRow.ts"
import { HASH_ROW_FIELDS, MAX_HASH_ROW_LENGTH, assertPlainText, parseHashRow } from "./parseHashRow.ts"
import type { HashRowField } from "./parseHashRow.ts"
import { readLines } from "./readLines.ts"
import { toRow } from "./toRow.ts"

const HEADERS: ReadonlyMap<string, readonly HashRowField[]> = new Map(
  [1, 2, 3].map((count) => HASH_ROW_FIELDS.slice(0, count)).map((fields) => [fields.join(","), fields]),
)

/**
 * The rows of a CSV of credential hashes (RFC 4180), each under "name:line".
 *
 * The header is `credentialHash`, `credentialHash,notAfter` or `credentialHash,notAfter,deviceKeyId`, and every line
 * has all its fields. No field can hold a comma, a quote or a line break, so each line is judged alone: a stray quote
 * spoils its own line, not those behind it, as it would with a general CSV parser. A field may stand in quotes as a
 * whole. Without a known header, there is one bad row and nothing else.
 */
export async function* rowsFromCsv(
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<BatchRow> {
  let fields: readonly HashRowField[] | undefined
  for await (const lines of readLines(chunks, MAX_HASH_ROW_LENGTH)) {
    for (const { number, text } of lines) {
      const source = `${name}:${number}`
      if (fields !== undefined) {
        const columns: readonly HashRowField[] = fields
        yield toRow(source, () => parseHashRow(source, splitLine(text, columns)))
        continue
      }
      fields = HEADERS.get(headerText(text))
      if (fields !== undefined) continue
      yield { source, error: new FleetHeaderError({ found: (text ?? "").slice(0, 100) }) }
      return
    }
  }
  if (fields === undefined) yield { source: name, error: new FleetHeaderError({ found: "" }) }
}

function splitLine(text: string | undefined, fields: readonly HashRowField[]): Partial<Record<HashRowField, string>> {
  assertPlainText(text)
  const values = text.split(",").map(unquoted)
  if (values.length !== fields.length) {
    throw new FleetRowError({ field: "line", reason: `has ${values.length} fields; the header has ${fields.length}` })
  }
  return Object.fromEntries(fields.map((field, i) => [field, values[i]]))
}

function headerText(text: string | undefined): string {
  return (text ?? "").split(",").map(unquoted).join(",")
}

function unquoted(field: string): string {
  return /^"[^"]*"$/.test(field) ? field.slice(1, -1) : field
}
