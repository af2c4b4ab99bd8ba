import { byIndex, sayTheSame } from "./listing.ts"
import type { Listing, Segment } from "./listing.ts"

/** The number of the CRL in which a certificate was last listed, listed otherwise, or taken off the list. */
type Changed = { readonly number: bigint; readonly serial: Uint8Array }

/** More changes than this are no delta: whoever follows had better fetch the complete CRL. */
const MOST_CHANGES = 65_536

/**
 * What changed from one list to the next, so that a delta can be made against any complete CRL since `baseNumber`, whichever
 * gateway made it: all have the ledger's state of the block that their number names.
 */
export class ChangeLog {
  readonly #changes = new Map<string, Map<number, Changed>>()
  /** Numbers and times of the lists, ascending. */
  #lists: { readonly number: bigint; readonly thisUpdate: number }[] = []
  #count = 0
  readonly #windowSeconds: number

  /** @param windowSeconds How long a complete CRL is used. */
  constructor(windowSeconds: number) {
    this.#windowSeconds = windowSeconds
  }

  /** The oldest complete CRL that deltas go with now. */
  get baseNumber(): bigint | undefined {
    return this.#lists[0]?.number
  }

  follow(before: Listing | undefined, after: Listing): void {
    const names = before === undefined ? [] : new Set([...before.segments.keys(), ...after.segments.keys()])
    for (const name of names) {
      const [old, now] = [before?.segments.get(name), after.segments.get(name)]
      if (old !== now && this.#count <= MOST_CHANGES) this.#compare(name, old, now, after.number)
    }
    this.#lists.push({ number: after.number, thisUpdate: after.thisUpdate })
    if (this.#count > MOST_CHANGES) this.#forget(after)
    else this.#prune(after.thisUpdate - this.#windowSeconds)
  }

  /** What changed after the base: listed now, or not any more. */
  *since(
    listing: Listing,
  ): Generator<{ segment: Segment | undefined; name: string; index: number; serial: Uint8Array }> {
    const base = this.baseNumber ?? listing.number
    for (const [name, changes] of this.#changes) {
      const segment = listing.segments.get(name)
      for (const [index, { number, serial }] of changes) if (number > base) yield { segment, name, index, serial }
    }
  }

  #compare(name: string, old: Segment | undefined, now: Segment | undefined, number: bigint): void {
    const [before, after] = [byIndex(old?.runs ?? []), byIndex(now?.runs ?? [])]
    const changes = this.#changes.get(name) ?? new Map<number, Changed>()
    const countBefore = changes.size
    this.#changes.set(name, changes)
    for (const [index, run] of after) {
      const earlier = before.get(index)
      if (earlier !== undefined && sayTheSame(earlier, run)) continue
      changes.set(index, { number, serial: (now as Segment).serialOf(index) })
    }
    for (const index of before.keys()) {
      if (!after.has(index)) changes.set(index, { number, serial: (old as Segment).serialOf(index) })
    }
    this.#count += changes.size - countBefore
  }

  /** Keeps the newest list from before the window: complete CRLs that are still used are not older. */
  #prune(earliest: number): void {
    let first = 0
    while (first + 1 < this.#lists.length && (this.#lists[first + 1]?.thisUpdate ?? Infinity) <= earliest) first++
    if (first === 0) return
    this.#lists = this.#lists.slice(first)
    const base = this.#lists[0]?.number ?? 0n
    for (const [name, changes] of this.#changes) {
      for (const [index, { number }] of changes) {
        if (number <= base && changes.delete(index)) this.#count--
      }
      if (changes.size === 0) this.#changes.delete(name)
    }
  }

  #forget({ number, thisUpdate }: Listing): void {
    this.#changes.clear()
    this.#count = 0
    this.#lists = [{ number, thisUpdate }]
  }
}
