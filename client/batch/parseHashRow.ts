import { fromHex } from "../crypto/hex.ts"
import { FleetRowError } from "../errors/batch.ts"
import { MAX_TIME } from "../merkle/place.ts"
import type { HashRow } from "./batchRow.ts"

/** The columns of a CSV and the keys of an NDJSON of credential hashes, in the order of a CSV's header. */
export const HASH_ROW_FIELDS = ["credentialHash", "notAfter", "deviceKeyId"] as const
export type HashRowField = (typeof HASH_ROW_FIELDS)[number]

/** The longest line that a CSV or NDJSON of hashes may have. */
export const MAX_HASH_ROW_LENGTH = 1024

const HASH = /^(?:0x)?([0-9a-fA-F]{64})$/
const SECONDS = /^[1-9][0-9]{0,12}$/
// RFC 3339, in UTC and whole seconds.
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/

/**
 * A row of hashes from its texts: hashes of 64 hexadecimal digits, with or without 0x; a time as Unix seconds or as
 * "2035-12-31T23:59:59Z".
 *
 * @throws {@link FleetRowError}
 */
export function parseHashRow(source: string, texts: Partial<Record<HashRowField, string>>): HashRow {
  const { credentialHash, notAfter, deviceKeyId } = texts
  if (credentialHash === undefined) throw new FleetRowError({ field: "credentialHash", reason: "is missing" })
  return {
    source,
    credentialHash: parseHash("credentialHash", credentialHash),
    ...(notAfter === undefined ? {} : { notAfter: parseTime("notAfter", notAfter) }),
    ...(deviceKeyId === undefined ? {} : { deviceKeyId: parseHash("deviceKeyId", deviceKeyId) }),
  }
}

/** @throws {@link FleetRowError} unless `text` is a line of printable ASCII, tabs allowed */
export function assertPlainText(text: string | undefined): asserts text is string {
  if (text === undefined) {
    throw new FleetRowError({ field: "line", reason: `has more than ${MAX_HASH_ROW_LENGTH} characters` })
  }
  if (text === "") throw new FleetRowError({ field: "line", reason: "is empty" })
  if (!/^[\t\x20-\x7e]*$/.test(text)) {
    throw new FleetRowError({ field: "line", reason: "has characters that are not printable ASCII" })
  }
}

function parseHash(field: HashRowField, text: string): Uint8Array {
  const digits = HASH.exec(text)?.[1]
  if (digits !== undefined) return fromHex(`0x${digits}`)
  throw new FleetRowError({ field, reason: `is ${quoted(text)}, not 64 hexadecimal digits` })
}

function parseTime(field: HashRowField, text: string): number {
  const seconds = SECONDS.test(text) ? Number(text) : DATE.test(text) ? dateSeconds(text) : Number.NaN
  if (seconds >= 1 && seconds <= MAX_TIME) return seconds
  throw new FleetRowError({ field, reason: `is ${quoted(text)}, neither Unix seconds nor like 2035-12-31T23:59:59Z` })
}

/** NaN for days that are in no calendar: Date would roll 30 February over. */
function dateSeconds(text: string): number {
  const milliseconds = Date.parse(text)
  const same = !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().slice(0, 19) === text.slice(0, 19)
  return same ? milliseconds / 1000 : Number.NaN
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
