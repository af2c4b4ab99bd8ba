/** A set of places of one batch, kept as its runs: neighbouring members from a first one to one past a last one. */
export class PlaceSet {
  /** Places of the batch: members are below it. */
  readonly size: number
  /** How many members there are. */
  readonly count: number
  /** First and end of each run, ascending; runs neither touch nor are empty. */
  readonly #bounds: Uint32Array

  /** @param bounds First and end of each run as they are kept. */
  constructor(size: number, bounds: Uint32Array) {
    this.size = size
    this.#bounds = bounds
    let count = 0
    for (let i = 0; i < bounds.length; i += 2) count += (bounds[i + 1] as number) - (bounds[i] as number)
    this.count = count
  }

  /** @param members Ascending, each once, below `size`. */
  static of(size: number, members: Iterable<number>): PlaceSet {
    const runs = new RunList()
    for (const member of members) runs.add(member, member + 1)
    return new PlaceSet(size, runs.bounds())
  }

  get runCount(): number {
    return this.#bounds.length / 2
  }

  has(index: number): boolean {
    return this.#runOf(index) !== undefined
  }

  /** How many members are below `index`. It takes as long as there are runs. */
  rank(index: number): number {
    let rank = 0
    for (const [from, end] of this.runs()) {
      if (from >= index) break
      rank += Math.min(end, index) - from
    }
    return rank
  }

  *runs(): Generator<readonly [from: number, end: number]> {
    const bounds = this.#bounds
    for (let i = 0; i < bounds.length; i += 2) yield [bounds[i] as number, bounds[i + 1] as number]
  }

  *members(): Generator<number> {
    for (const [from, end] of this.runs()) for (let index = from; index < end; index++) yield index
  }

  /** 256 places as the ledger keeps them: bit i of word w is place 256 w + i. */
  word(word: number): bigint {
    const first = word * 256
    let bits = 0n
    let run = this.#runAfter(first)
    for (; run < this.#bounds.length && (this.#bounds[run] as number) < first + 256; run += 2) {
      const from = Math.max(this.#bounds[run] as number, first) - first
      const end = Math.min(this.#bounds[run + 1] as number, first + 256) - first
      bits |= ((1n << BigInt(end - from)) - 1n) << BigInt(from)
    }
    return bits
  }

  #runOf(index: number): number | undefined {
    const run = this.#runAfter(index)
    return run < this.#bounds.length && (this.#bounds[run] as number) <= index ? run : undefined
  }

  /** Where in the bounds the first run stands that ends after `index`. */
  #runAfter(index: number): number {
    let low = 0
    let high = this.runCount
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[2 * middle + 1] as number) <= index) low = middle + 1
      else high = middle
    }
    return 2 * low
  }
}

/** A growing list of runs, ascending; one that begins where the last ended makes that one longer. */
export class RunList {
  #bounds = new Uint32Array(16)
  #length = 0

  /** Runs so far. */
  get count(): number {
    return this.#length / 2
  }

  add(from: number, end: number): void {
    if (from === end) return
    if (this.#length > 0 && this.#bounds[this.#length - 1] === from) {
      this.#bounds[this.#length - 1] = end
      return
    }
    if (this.#length === this.#bounds.length) {
      const larger = new Uint32Array(2 * this.#length)
      larger.set(this.#bounds)
      this.#bounds = larger
    }
    this.#bounds[this.#length++] = from
    this.#bounds[this.#length++] = end
  }

  bounds(): Uint32Array {
    return this.#bounds.slice(0, this.#length)
  }
}
