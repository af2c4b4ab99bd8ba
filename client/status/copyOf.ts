const SLAB = 65_536
/** So many slabs that nobody uses are kept for the next copies: 4 MiB. */
const MOST_SPARE = 64

/** Memory that copies share. It is written again only when none of them is in use. */
type Slab = { readonly bytes: Uint8Array; used: number; copies: number }

const spare: Slab[] = []
const slabs = new WeakMap<ArrayBufferLike, Slab>()
let current = newSlab()

/**
 * A copy of some bytes. Small ones share memory: one allocation serves a hundred certificates, and whoever gives them back saves
 * the collector the work. What is never given back is collected as anything else.
 */
export function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB / 8) return new Uint8Array(bytes)
  if (current.used + bytes.length > SLAB) current = spare.pop() ?? newSlab()
  const start = current.used
  current.used += bytes.length
  current.copies += 1
  current.bytes.set(bytes, start)
  return current.bytes.subarray(start, current.used)
}

/** Says that nobody will look at a copy of {@link copyOf} again: once for each copy, and never before that is sure. */
export function giveBack(copy: Uint8Array): void {
  const slab = slabs.get(copy.buffer)
  if (slab === undefined) return
  slab.copies -= 1
  if (slab.copies > 0) return
  slab.used = 0
  if (slab !== current && spare.length < MOST_SPARE) spare.push(slab)
}

function newSlab(): Slab {
  const bytes = new Uint8Array(SLAB)
  const slab = { bytes, used: 0, copies: 0 }
  slabs.set(bytes.buffer, slab)
  return slab
}
