import { FleetrootError } from "../../errors/base.ts"

export type FirstGoodOptions = {
  /** After how long without an answer the next one is asked too. */
  readonly patienceMs: number
  readonly onFault?: (index: number, error: unknown) => void
}

/**
 * The first good answer out of several sources, asked in order: the next one when one fails, or takes long. What was asked goes
 * on; its answer is dropped.
 *
 * @throws what the first source threw, if all fail.
 */
export function firstGood<S, T>(
  sources: readonly S[],
  ask: (source: S) => Promise<T>,
  { patienceMs, onFault }: FirstGoodOptions,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const errors: unknown[] = []
    let asked = 0
    let failed = 0
    let done = false
    let timer: ReturnType<typeof setTimeout> | undefined

    const next = (): void => {
      clearTimeout(timer)
      const index = asked
      const source = sources[index]
      if (done || source === undefined) return
      asked += 1
      if (asked < sources.length) timer = setTimeout(next, patienceMs)
      ask(source).then(
        (answer) => {
          done = true
          clearTimeout(timer)
          resolve(answer)
        },
        (error: unknown) => {
          errors[index] = error
          failed += 1
          if (error instanceof FleetrootError) onFault?.(index, error)
          if (failed === sources.length) reject(errors[0] as Error)
          else if (failed === asked) next()
        },
      )
    }
    next()
  })
}
