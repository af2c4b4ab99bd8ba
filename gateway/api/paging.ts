import { RequestInvalidError } from "./parameters.ts"

/** A part of a list. */
export type Page = {
  readonly limit: number
  /** How many items come before it. */
  readonly after: number
}

const MOST_ITEMS = 1_000
const DEFAULT_ITEMS = 100

/** `limit` and `after` of a query. Lists of the ledger only grow at their end, so a place in them is a number. */
export function readPage(limit: string | undefined, after: string | undefined): Page {
  return {
    limit: limit === undefined ? DEFAULT_ITEMS : number("limit", limit, 1, MOST_ITEMS),
    after: after === undefined ? 0 : number("after", after, 0, Number.MAX_SAFE_INTEGER),
  }
}

function number(parameter: string, text: string, minimum: number, maximum: number): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : -1
  if (value >= minimum && value <= maximum) return value
  throw new RequestInvalidError({ parameter, expected: `an integer from ${minimum} to ${maximum}` })
}
