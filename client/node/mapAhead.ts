/**
 * What `work` makes of each item, in the order of the items, with up to `atOnce` of them under way.
 *
 * Items are begun only when there is room, so a slow reader holds the work back.
 */
export async function* mapAhead<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const pending: Promise<Result>[] = []
  for (const item of items) {
    const result = work(item)
    result.catch(() => undefined) // a failure is met below, in order
    pending.push(result)
    if (pending.length >= atOnce) yield await (pending.shift() as Promise<Result>)
  }
  for (const result of pending) yield await result
}
