/** A tagged item. Tags are never interpreted: a date or a bignum stays one of these. */
export class CborTag {
  readonly tag: number | bigint
  readonly contents: CborValue
  constructor(tag: number | bigint, contents: CborValue) {
    this.tag = tag
    this.contents = contents
  }
}

/** A simple value that has no meaning of its own: not false, true, null or undefined. */
export class CborSimple {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** What CBOR decodes to. Integers beyond 2^53-1 are `bigint`; maps are always `Map`. */
export type CborValue =
  number | bigint | string | boolean | null | undefined | Uint8Array | CborArray | CborMap | CborTag | CborSimple

export type CborArray = readonly CborValue[]
export type CborMap = ReadonlyMap<CborValue, CborValue>
