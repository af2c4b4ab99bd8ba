/**
 * A value that changes with the entries of the log, with all that it was before. The entries are numbered from 0; a value set by
 * entry `n` is there for whoever looks at more than `n` entries.
 */
export class Versions<T> {
  readonly #entries: number[] = []
  readonly #values: T[] = []

  /** Sets the value from this entry on; entries come in ascending order. */
  set(entry: number, value: T): void {
    this.#entries.push(entry)
    this.#values.push(value)
  }

  /** Takes back the last {@link set}. */
  undo(): void {
    this.#entries.pop()
    this.#values.pop()
  }

  /** The value after the last entry. */
  get last(): T | undefined {
    return this.#values[this.#values.length - 1]
  }

  /** The value after the first `count` entries of the log; undefined if it was not set by then. */
  after(count: number): T | undefined {
    return this.#values[countBelow(this.#entries, count) - 1]
  }

  /** Whether some value that `accepts` takes was set by an entry above `entry` and among the first `count`. */
  someBetween(entry: number, count: number, accepts: (value: T) => boolean): boolean {
    for (let i = countBelow(this.#entries, count) - 1; i >= 0 && (this.#entries[i] as number) > entry; i--) {
      if (accepts(this.#values[i] as T)) return true
    }
    return false
  }
}

/** How many of these ascending numbers are below `limit`. Most questions are about the newest. */
export function countBelow(ascending: readonly number[], limit: number): number {
  let high = ascending.length
  if (high === 0 || (ascending[high - 1] as number) < limit) return high
  let low = 0
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) < limit) low = middle + 1
    else high = middle
  }
  return low
}
