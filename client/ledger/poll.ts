import { EndpointStatusError, EndpointTimeoutError, EndpointUnreachableError } from "../errors/ledger.ts"

/** How many questions in a row may find nobody before the caller is told. */
const PATIENCE = 5
const FIRST_PAUSE_MS = 40
const LONGEST_PAUSE_MS = 2_000

/**
 * Asks again and again, ever more slowly, until there is an answer. A node that is out of reach for a moment ends nothing: what
 * is waited for goes on without it.
 *
 * @param ask is told the seconds since the first question; undefined means "not yet".
 */
export async function poll<T>(ask: (seconds: number) => Promise<{ readonly answer: T } | undefined>): Promise<T> {
  const started = performance.now()
  let failures = 0
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    try {
      const found = await ask((performance.now() - started) / 1000)
      if (found !== undefined) return found.answer
      failures = 0
    } catch (error) {
      failures += 1
      if (!isPassing(error) || failures >= PATIENCE) throw error
    }
    await new Promise((resolve) => {
      setTimeout(resolve, pause)
    })
  }
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof EndpointUnreachableError ||
    error instanceof EndpointTimeoutError ||
    error instanceof EndpointStatusError
  )
}
