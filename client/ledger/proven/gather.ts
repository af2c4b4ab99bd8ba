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
    let grace: ReturnType<typeof setTimeout> | undefined
    const finish = (): void => {
      clearTimeout(grace)
      clearTimeout(deadline)
      resolve([...results])
    }
    const deadline = setTimeout(finish, timeoutMs)
    const listen = async (promise: Promise<T>, index: number): Promise<void> => {
      results[index] = await promise.then(
        (value) => ({ state: "answered" as const, value }),
        (error: unknown) => ({ state: "failed" as const, error }),
      )
      const answered = results.filter(({ state }) => state === "answered").length
      if (results.every(({ state }) => state !== "silent")) finish()
      else if (answered >= enough) grace ??= setTimeout(finish, graceMs)
    }
    promises.forEach((promise, index) => void listen(promise, index))
    if (promises.length === 0) finish()
  })
}
