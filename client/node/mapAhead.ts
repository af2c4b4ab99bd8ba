/**
 * What `work` makes of each item, in the order of the items, with up to `atOnce` of them under way.
 *
 * Items are begun only when there is room, so a slow reader holds the work back. Whoever stops early, or meets a failure,
 * goes on only when all that was begun has ended.
 */
export async function* mapAhead<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const pending: Promise<Result>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      result.catch(() => undefined) // a failure is met below, in order
      pending.push(result)
      if (pending.length >= atOnce) yield await (pending.shift() as Promise<Result>)
    }
    while (pending.length > 0) yield await (pending.shift() as Promise<Result>)
  } finally {
    await Promise.allSettled(pending)
  }
}
