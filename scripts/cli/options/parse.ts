import { UsageError } from "../cliError.ts"

/** A decimal integer, written the one way: no sign, no space, no leading zero, no exponent. */
export function parseInteger(text: string, what: string, minimum: number, maximum: number): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value
  throw new UsageError(`${what} should be an integer from ${minimum} to ${maximum}; found ${JSON.stringify(text)}.`)
}

const UINT32 = 0xffff_ffff

/** A parser of a uint32 option, for commander. */
export function uint32(what: string, minimum = 1, maximum = UINT32): (text: string) => number {
  return (text) => parseInteger(text, what, minimum, maximum)
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$/
/** 2001: a smaller number is a slip, such as a year alone. */
const MIN_SECONDS = 1_000_000_000
/** The last second that the ledger's 40 bits can tell. */
const MAX_SECONDS = 2 ** 40 - 1

/**
 * A time: RFC 3339 with seconds and zone (`2027-01-31T12:00:00Z`; fractions of a second are dropped, for the ledger has none), a
 * day (its first second in UTC), or Unix seconds.
 */
export function parseTime(text: string, what: string): Date {
  if (/^[1-9][0-9]{9,12}$/.test(text)) return new Date(parseInteger(text, what, MIN_SECONDS, MAX_SECONDS) * 1000)
  const date = dateOf(text)
  if (date !== undefined && date.getTime() >= 0) return date
  throw new UsageError(`${what} should be a time; found ${JSON.stringify(text)}.`, {
    hint: "Write 2027-01-31T12:00:00Z, 2027-01-31 (its first second, UTC) or Unix seconds.",
  })
}

/** A parser of a time option, for commander. */
export function time(what: string): (text: string) => Date {
  return (text) => parseTime(text, what)
}

// Date.parse takes 30 February for a day in March; here a day that is none is refused.
function dateOf(text: string): Date | undefined {
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as Six
  const local = new Date(0)
  local.setUTCFullYear(year, month - 1, day)
  local.setUTCHours(hour, minute, second)
  const same =
    local.getUTCFullYear() === year &&
    local.getUTCMonth() === month - 1 &&
    local.getUTCDate() === day &&
    local.getUTCHours() === hour &&
    local.getUTCMinutes() === minute &&
    local.getUTCSeconds() === second
  const offset = offsetSeconds(match[7] ?? "Z")
  return same && offset !== undefined ? new Date(local.getTime() - offset * 1000) : undefined
}

type Six = [number, number, number, number, number, number]

function offsetSeconds(zone: string): number | undefined {
  if (zone === "Z") return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))]
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith("-") ? -1 : 1) * (hours * 3600 + minutes * 60)
}

/** Indices of a batch as people list them: "1,5-9". */
export function parseIndices(text: string): number[] {
  const indices = new Set<number>()
  for (const part of text.split(",")) {
    const [first = "", last, ...rest] = part.split("-")
    if (rest.length > 0) throw new UsageError(`--indices: ${JSON.stringify(part)} is not a range like 5-9.`)
    const from = parseInteger(first, "--indices", 0, UINT32 - 1)
    const to = last === undefined ? from : parseInteger(last, "--indices", 0, UINT32 - 1)
    if (to < from) throw new UsageError(`--indices: the range ${part} runs backwards.`)
    if (to - from >= MOST_INDICES || indices.size > MOST_INDICES) {
      throw new UsageError(`--indices names more than ${MOST_INDICES} places.`, {
        hint: "Revoke the whole batch with --batch, or the places in several calls.",
      })
    }
    for (let index = from; index <= to; index++) indices.add(index)
  }
  return [...indices].sort((a, b) => a - b)
}

const MOST_INDICES = 16_777_216

/** A URL of a node: http or https. */
export function parseRpcUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === "http:" || url?.protocol === "https:") return text
  // The address may hold a key: it is not repeated.
  throw new UsageError("The RPC address should be a URL with http or https.", {
    hint: "For example --rpc http://127.0.0.1:8545",
  })
}

/** One of a few words. */
export function oneOf<const T extends string>(what: string, words: readonly T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text)
    if (found !== undefined) return found
    throw new UsageError(`${what} should be one of ${words.join(", ")}; found ${JSON.stringify(text)}.`)
  }
}

/** 32 octets in hex, with or without 0x. */
export function hash32(what: string): (text: string) => `0x${string}` {
  return (text) => {
    const match = /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)
    if (match?.[1] === undefined) {
      throw new UsageError(`${what} should be 64 hexadecimal digits; found ${JSON.stringify(text.slice(0, 80))}.`)
    }
    return `0x${match[1].toLowerCase()}`
  }
}
