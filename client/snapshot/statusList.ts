import { decodeCbor, encodeCbor, isCborMap } from "../cose/cbor.ts"
import type { CborMap, CborValue } from "../cose/cbor.ts"
import { CborError } from "../errors/cose.ts"
import { StatusListMalformedError, StatusListRangeError } from "../errors/statusList.ts"
import { fromBase64url, toBase64url } from "./base64url.ts"
import { deflate, inflate } from "./zlib.ts"

/** How many bits each status has. */
export type StatusListBits = 1 | 2 | 4 | 8

/** The status types of the IETF draft "Token Status List", section 7.1, that the ledger can tell. */
export const STATUS_TYPE = { valid: 0, invalid: 1, suspended: 2 } as const

/** Neighbouring places that are not good, as `placeRuns` tells of them. */
export type BarredPlaces = {
  readonly first: number
  readonly last: number
  readonly status: "good" | "onHold" | "revoked" | "unknown"
}

export type DecodeStatusListOptions = {
  /** Largest list when decompressed. Default: 16 MiB, 128 million statuses of one bit. */
  maxBytes?: number
}

const MAX_BYTES = 16 * 2 ** 20

/** The statuses of many tokens by index, as many bits each: the IETF draft "Token Status List", section 4. */
export class StatusList {
  readonly bits: StatusListBits
  /** Statuses one behind the other, from the lowest bits of each byte up. */
  readonly bytes: Uint8Array

  constructor(bits: StatusListBits, bytes: Uint8Array) {
    this.bits = bits
    this.bytes = bytes
  }

  /** A list of `size` places, all valid. */
  static valid(size: number, bits: StatusListBits): StatusList {
    return new StatusList(bits, new Uint8Array(Math.ceil((size * bits) / 8)))
  }

  /**
   * The list of a batch of `size`. Revoked is INVALID; on hold, and what cannot be told, is SUSPENDED, in a list that has
   * two bits for it, and INVALID in one that has not: nothing that is not good is VALID.
   *
   * @param bits Default: 1 if every place is either good or revoked, else 2.
   * @throws {@link StatusListRangeError}
   */
  static ofPlaces(size: number, barred: Iterable<BarredPlaces>, bits?: 1 | 2): StatusList {
    const runs = [...barred].filter(({ status }) => status !== "good")
    const width = bits ?? (runs.every(({ status }) => status === "revoked") ? 1 : 2)
    const list = StatusList.valid(size, width)
    for (const { first, last, status } of runs) {
      const type = width === 1 || status === "revoked" ? STATUS_TYPE.invalid : STATUS_TYPE.suspended
      for (let index = first; index <= last; index++) list.set(index, type)
    }
    return list
  }

  /** Places that fit: up to seven more than were asked for, since bytes are whole. */
  get size(): number {
    return (this.bytes.length * 8) / this.bits
  }

  /** @throws {@link StatusListRangeError} */
  at(index: number): number {
    const { byte, shift } = this.#place(index)
    return ((this.bytes[byte] as number) >>> shift) & this.#mask
  }

  /** @throws {@link StatusListRangeError} */
  set(index: number, status: number): void {
    const { byte, shift } = this.#place(index)
    if (!Number.isInteger(status) || status < 0 || status > this.#mask) {
      throw new StatusListRangeError({ field: "status", value: status, limit: this.#mask + 1 })
    }
    this.bytes[byte] = ((this.bytes[byte] as number) & ~(this.#mask << shift)) | (status << shift)
  }

  get #mask(): number {
    return 2 ** this.bits - 1
  }

  #place(index: number): { byte: number; shift: number } {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      throw new StatusListRangeError({ field: "index", value: index, limit: this.size })
    }
    const perByte = 8 / this.bits
    return { byte: Math.floor(index / perByte), shift: (index % perByte) * this.bits }
  }
}

/** Section 4.2: `{ bits, lst }`, `lst` zlib'd and in base64url. */
export async function encodeStatusListJson(list: StatusList): Promise<{ bits: StatusListBits; lst: string }> {
  return { bits: list.bits, lst: toBase64url(await deflate(list.bytes)) }
}

/** @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} */
export async function decodeStatusListJson(
  json: unknown,
  { maxBytes = MAX_BYTES }: DecodeStatusListOptions = {},
): Promise<StatusList> {
  const { bits, lst } = (typeof json === "object" && json !== null ? json : {}) as { bits?: unknown; lst?: unknown }
  const width = bitsOf(bits)
  if (typeof lst !== "string") throw new StatusListMalformedError("`lst` is no text")
  const bytes = fromBase64url(lst)
  if (bytes === undefined) throw new StatusListMalformedError("`lst` is not in base64url")
  return new StatusList(width, await inflate(bytes, maxBytes))
}

/** Section 4.3: the map `{ "bits", "lst" }`, `lst` zlib'd. */
export async function statusListMap(list: StatusList): Promise<CborMap> {
  return new Map<CborValue, CborValue>([
    ["bits", list.bits],
    ["lst", await deflate(list.bytes)],
  ])
}

/** @throws {@link CborError} */
export async function encodeStatusListCbor(list: StatusList): Promise<Uint8Array> {
  return encodeCbor(await statusListMap(list), { maxBytes: Number.MAX_SAFE_INTEGER })
}

/** @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} */
export async function decodeStatusListCbor(
  bytes: Uint8Array,
  options: DecodeStatusListOptions = {},
): Promise<StatusList> {
  const { maxBytes = MAX_BYTES } = options
  try {
    return await readStatusListMap(decodeCbor(bytes, { maxBytes: 2 * maxBytes, sorted: false }), options)
  } catch (cause) {
    if (cause instanceof CborError) throw new StatusListMalformedError(cause.message, cause)
    throw cause
  }
}

/** @throws {@link StatusListMalformedError} {@link StatusListTooLargeError} */
export async function readStatusListMap(
  map: CborValue,
  { maxBytes = MAX_BYTES }: DecodeStatusListOptions = {},
): Promise<StatusList> {
  if (!isCborMap(map)) throw new StatusListMalformedError("it is no map")
  const width = bitsOf(map.get("bits"))
  const lst = map.get("lst")
  if (!(lst instanceof Uint8Array)) throw new StatusListMalformedError("`lst` is no byte string")
  return new StatusList(width, await inflate(lst, maxBytes))
}

function bitsOf(bits: unknown): StatusListBits {
  if (bits === 1 || bits === 2 || bits === 4 || bits === 8) return bits
  throw new StatusListMalformedError("`bits` is none of 1, 2, 4 and 8")
}
