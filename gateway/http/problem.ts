import type { HttpAnswer } from "./route.ts"

/** What went wrong, for a program. RFC 9457. */
export type Problem = {
  readonly status: number
  readonly title: string
  readonly detail?: string
  /** Further members: numbers and words that a program may act upon. */
  readonly more?: Readonly<Record<string, string | number | readonly string[]>>
}

/** An answer that says what went wrong. RFC 9457, 3. */
export function problemAnswer(
  { status, title, detail, more = {} }: Problem,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const members = { type: "about:blank", title, status, ...(detail === undefined ? {} : { detail }), ...more }
  return {
    status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers },
    body: new TextEncoder().encode(`${JSON.stringify(members)}\n`),
  }
}
