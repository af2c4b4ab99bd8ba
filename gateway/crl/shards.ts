/** Most places of a shard: all revoked, with every extension, they stay below 1 MiB. */
export const SHARD_PLACES = 8_192

/** A part of an issuer's list: the places with some indexes, of neighbouring series. */
export type Shard = {
  /** `{first series}-{first index}-{last index}`, in decimal digits. */
  readonly name: string
  readonly firstSeries: number
  readonly firstIndex: number
  readonly lastIndex: number
}

type Place = { readonly series: number; readonly index: number }

/**
 * The shard of a place, which is told by its series and index alone: so a certificate can name it before there is a batch, and it
 * stays the same.
 *
 * The smaller the index, the more series share a shard: one series has half of the places below 8,192 in its shard of 4,096, and
 * 8,192 series share the one of index 0. So the number of shards grows with the devices, however many batches they come in, and
 * none has more than 8,192 places.
 */
export function shardOf({ series, index }: Place): Shard {
  const width = widthAt(index)
  const firstSeries = series - (series % (SHARD_PLACES / width))
  const firstIndex = index - (index % width)
  const lastIndex = firstIndex + width - 1
  return { name: `${firstSeries}-${firstIndex}-${lastIndex}`, firstSeries, firstIndex, lastIndex }
}

/** The number of a place in its shard, from 0 on. */
export function numberInShard({ firstSeries, firstIndex, lastIndex }: Shard, { series, index }: Place): number {
  return (series - firstSeries) * (lastIndex - firstIndex + 1) + index - firstIndex
}

/** The place with a number in a shard. */
export function placeInShard({ firstSeries, firstIndex, lastIndex }: Shard, number: number): Place {
  const width = lastIndex - firstIndex + 1
  return { series: firstSeries + Math.floor(number / width), index: firstIndex + (number % width) }
}

/** The shard with this name; undefined if there can be none. */
export function shardNamed(name: string): Shard | undefined {
  const [, series, index] = /^(\d{1,10})-(\d{1,10})-\d{1,10}$/.exec(name) ?? []
  if (series === undefined || index === undefined) return undefined
  const shard = shardOf({ series: Number(series), index: Number(index) })
  return shard.name === name ? shard : undefined
}

/** The names of all shards of some batches, each with the time at which the last of their places ends, in Unix seconds. */
export function shardEnds(
  batches: Iterable<{ readonly series: number; readonly size: number; readonly notAfter: number }>,
): Map<string, number> {
  const ends = new Map<string, number>()
  // Neighbouring series share shards, so that hardly any name is made twice.
  const recent = new Map<number, Shard>()
  for (const { series, size, notAfter } of batches) {
    for (let index = 0; index < size;) {
      const known = recent.get(index)
      const shared = known !== undefined && series - (series % seriesIn(known)) === known.firstSeries
      const shard = shared ? known : shardOf({ series, index })
      recent.set(index, shard)
      ends.set(shard.name, Math.max(ends.get(shard.name) ?? 0, notAfter))
      index = shard.lastIndex + 1
    }
  }
  return ends
}

function seriesIn({ firstIndex, lastIndex }: Shard): number {
  return SHARD_PLACES / (lastIndex - firstIndex + 1)
}

/** 1, 1, 2, 4, … 4,096 places of a series, and then 8,192 each. */
function widthAt(index: number): number {
  if (index >= SHARD_PLACES) return SHARD_PLACES
  return index === 0 ? 1 : 2 ** (31 - Math.clz32(index))
}
