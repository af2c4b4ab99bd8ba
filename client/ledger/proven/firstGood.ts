import { EndpointTimeoutError } from "../../errors/ledger.ts"

export type FirstGoodOptions<S> = {
  /** After how long without an answer the next one is asked too. */
  readonly patienceMs: number
  /** Nobody is waited for longer. */
  readonly timeoutMs: number
  readonly onFault?: (source: S, error: unknown) => void
  readonly onGood?: (source: S) => void
}

/**
 * The first good answer out of several sources, asked in order: the next one when one fails, or takes long. What was asked goes
 * on; its answer is dropped.
 *
 * @throws what the first source threw, if all fail; EndpointTimeoutError if that takes too long.
 */
export function firstGood<S, T>(
  sources: readonly S[],
  ask: (source: S) => Promise<T>,
  { patienceMs, timeoutMs, onFault, onGood }: FirstGoodOptions<S>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const errors = new Map<number, unknown>()
    let asked = 0
    let done = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const fail = (error: Error): void => {
      done = true
      clearTimeout(timer)
      clearTimeout(deadline)
      reject(error)
    }
    const deadline = setTimeout(() => {
      fail(new EndpointTimeoutError({ endpoint: "Each endpoint", timeoutMs, cause: errors.get(0) }))
    }, timeoutMs)

    const attempt = async (source: S, index: number): Promise<void> => {
      try {
        const answer = await ask(source)
        if (!done) onGood?.(source)
        done = true
        clearTimeout(timer)
        clearTimeout(deadline)
        resolve(answer)
      } catch (error) {
        errors.set(index, error)
        onFault?.(source, error)
        if (errors.size === sources.length) fail(errors.get(0) as Error)
        else if (errors.size === asked) askNext()
      }
    }
    const askNext = (): void => {
      clearTimeout(timer)
      const index = asked
      const source = sources[index]
      if (done || source === undefined) return
      asked += 1
      if (asked < sources.length) timer = setTimeout(askNext, patienceMs)
      attempt(source, index).catch(fail)
    }
    askNext()
  })
}
