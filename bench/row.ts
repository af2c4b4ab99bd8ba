/** One measurement, and what was asked of it. */
export type Row = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What issue and documentation promise; null where nothing is promised. */
  readonly target: number | null
  /** Whether the promise holds in this run; null where nothing is promised. */
  readonly holds: boolean | null
  /** The same work done by others, in the same run and unit. */
  readonly peers: readonly Peer[]
}

export type Peer = { readonly name: string; readonly value: number }

export type RowOptions = {
  /** At most so much is good. */
  atMost?: number
  /** At least so much is good. */
  atLeast?: number
  peers?: readonly Peer[]
}

/** Points of one line in a plot. */
export type Series = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }

export type Plot = {
  readonly title: string
  readonly x: { readonly label: string; readonly log?: boolean }
  readonly y: { readonly label: string; readonly log?: boolean }
  readonly series: readonly Series[]
  /** What the reader should know: what was extrapolated, what was not measured. */
  readonly note?: string
}

/** What a group of measurements gives. */
export type Measured = readonly Row[] | { readonly rows: readonly Row[]; readonly plots: readonly Plot[] }

export type GroupOptions = {
  /** Small sizes and few rounds: a look, not a measurement. */
  readonly quick: boolean
}

/** A file below rows/: measures one thing. */
export type Group = (options: GroupOptions) => Promise<Measured>

/** A row with its verdict. */
export function row(name: string, value: number, unit: string, options: RowOptions = {}): Row {
  const { atMost, atLeast, peers = [] } = options
  const target = atMost ?? atLeast ?? null
  const holds = target === null ? null : atMost === undefined ? value >= target : value <= target
  return {
    name,
    value: rounded(value),
    unit,
    target: target === null ? null : rounded(target),
    holds,
    peers: peers.map((peer) => ({ ...peer, value: rounded(peer.value) })),
  }
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** The value that a share of all stays below. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** Four digits are as many as a shared machine can tell apart. */
function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
}
