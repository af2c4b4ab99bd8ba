/** What became of a promise by the time that somebody stopped waiting. */
export type Gathered<T> =
  | { readonly state: "answered"; readonly value: T }
  | { readonly state: "failed"; readonly error: unknown }
  | { readonly state: "silent" }

export type GatherOptions = {
  /** This many answers are enough to go on with, once the others had their grace. */
  readonly enough: number
  readonly graceMs: number
  /** Nobody is waited for longer. */
  readonly timeoutMs: number
}

/** Waits for enough answers, and a little for the rest; who hangs costs no more than that. */
export function gather<T>(
  promises: readonly Promise<T>[],
  { enough, graceMs, timeoutMs }: GatherOptions,
): Promise<Gathered<T>[]> {
  const results: Gathered<T>[] = promises.map(() => ({ state: "silent" }))
  return new Promise((resolve) => {
    let settled = 0
    let answered = 0
    let grace: ReturnType<typeof setTimeout> | undefined
    const finish = (): void => {
      clearTimeout(grace)
      clearTimeout(deadline)
      resolve([...results])
    }
    const deadline = setTimeout(finish, timeoutMs)
    const settle = (index: number, result: Gathered<T>): void => {
      results[index] = result
      settled += 1
      if (result.state === "answered") answered += 1
      if (settled === promises.length) finish()
      else if (answered >= enough) grace ??= setTimeout(finish, graceMs)
    }
    promises.forEach((promise, index) => {
      promise.then(
        (value) => {
          settle(index, { state: "answered", value })
        },
        (error: unknown) => {
          settle(index, { state: "failed", error })
        },
      )
    })
    if (promises.length === 0) finish()
  })
}
