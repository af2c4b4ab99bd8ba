/**
 * Whether these 2, 4 or 8 bytes are the shortest IEEE 754 form of their value. RFC 8949, 4.2.1.
 *
 * A NaN is shortest when its payload does not fit the next shorter form.
 */
export function isShortestFloat(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length === 8) return !fitsSingle(view)
  if (bytes.length === 4) return !fitsHalf(view.getUint32(0))
  return true
}

function fitsSingle(view: DataView): boolean {
  const value = view.getFloat64(0)
  if (!Number.isNaN(value)) return Math.fround(value) === value
  return (view.getUint32(4) & 0x1fff_ffff) === 0
}

/** `bits` of a binary32: 1 sign, 8 exponent (bias 127), 23 fraction; a binary16 has 5 (bias 15) and 10. */
function fitsHalf(bits: number): boolean {
  const exponent = ((bits >>> 23) & 0xff) - 127
  const fraction = bits & 0x7f_ffff
  const lowBitsClear = (count: number) => fraction % 2 ** count === 0
  if (exponent === 128) return lowBitsClear(13) // infinities and NaN
  if (exponent >= -14 && exponent <= 15) return lowBitsClear(13)
  if (exponent >= -24 && exponent <= -15) return lowBitsClear(13 + (-14 - exponent)) // subnormal halves
  return exponent === -127 && fraction === 0 // zeros
}
