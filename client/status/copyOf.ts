const SLAB = 65_536

let slab = new Uint8Array(0)
let used = 0

/** A copy of some bytes. Small ones share memory that is never written twice: one allocation serves a hundred certificates. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB / 8) return new Uint8Array(bytes)
  if (used + bytes.length > slab.length) {
    slab = new Uint8Array(SLAB)
    used = 0
  }
  const start = used
  used += bytes.length
  slab.set(bytes, start)
  return slab.subarray(start, used)
}
