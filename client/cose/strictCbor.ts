import {
  CborDepthError,
  CborDuplicateKeyError,
  CborIndefiniteLengthError,
  CborKeyOrderError,
  CborNotShortestError,
  CborReservedError,
  CborTextError,
  CborTooLargeError,
  CborTrailingBytesError,
  CborTruncatedError,
  CborTypeError,
} from "../errors/cose.ts"
import { isShortestFloat } from "./shortestFloat.ts"

export type StrictCborOptions = {
  /** Largest input. Default: 65,536 bytes. */
  maxBytes?: number
  /** Demand map keys in bytewise order (RFC 8949, 4.2.1). Default: true. */
  sorted?: boolean
  /** Also accept floating-point numbers, `undefined` and other simple values. Default: false. */
  extended?: boolean
}

/** Arrays, maps and tags may lie this deep in one another. */
export const MAX_CBOR_DEPTH = 16

export const DEFAULT_MAX_CBOR_BYTES = 65_536

const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const TAG = 6
const SIMPLE = 7

type Cursor = { readonly bytes: Uint8Array; readonly view: DataView; readonly options: StrictCborOptions; at: number }
type Head = { offset: number; major: number; info: number; argument: bigint }

/**
 * Refuses CBOR that could be read in two ways or costs more than it is long: it stands in front of the decoder, which
 * is then only shown what passed. Time and memory are linear in the input.
 *
 * @throws a named child of {@link CborError} for each cause
 */
export function assertStrictCbor(bytes: Uint8Array, options: StrictCborOptions = {}): void {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_CBOR_BYTES
  if (bytes.length > maxBytes) throw new CborTooLargeError({ length: bytes.length, maxBytes })

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const cursor: Cursor = { bytes, view, options, at: 0 }
  skipItem(cursor, 0)
  if (cursor.at < bytes.length) {
    throw new CborTrailingBytesError({ offset: cursor.at, count: bytes.length - cursor.at })
  }
}

function skipItem(cursor: Cursor, depth: number): void {
  const head = readHead(cursor)
  switch (head.major) {
    case BYTES:
      return skipBytes(cursor, head)
    case TEXT:
      return skipText(cursor, head)
    case ARRAY:
      return skipArray(cursor, head, depth)
    case MAP:
      return skipMap(cursor, head, depth)
    case TAG:
      assertDepth(head, depth)
      return skipItem(cursor, depth + 1)
    case SIMPLE:
      return checkSimple(cursor, head)
    default: // 0 and 1, integers: the head is all
  }
}

/** The first byte of an item and its argument. RFC 8949, 3. */
function readHead(cursor: Cursor): Head {
  const offset = cursor.at
  assertLeft(cursor, offset, 1n)
  const first = cursor.view.getUint8(cursor.at++)
  const major = first >> 5
  const info = first & 31
  if (info < 24) return { offset, major, info, argument: BigInt(info) }
  if (info === 31) {
    // Integers and tags have no indefinite form at all.
    if (major < BYTES || major === TAG) throw new CborReservedError({ offset })
    throw new CborIndefiniteLengthError({ offset })
  }
  if (info > 27) throw new CborReservedError({ offset })

  const width = 2 ** (info - 24)
  assertLeft(cursor, offset, BigInt(width))
  let argument = 0n
  for (let i = 0; i < width; i++) argument = (argument << 8n) | BigInt(cursor.view.getUint8(cursor.at++))
  if (major !== SIMPLE && argument < (SMALLEST[info - 24] ?? 0n)) throw new CborNotShortestError({ offset })
  return { offset, major, info, argument }
}

/** The smallest argument that needs 1, 2, 4 or 8 bytes. */
const SMALLEST = [24n, 0x100n, 0x1_0000n, 0x1_0000_0000n] as const

function skipBytes(cursor: Cursor, { offset, argument }: Head): void {
  assertLeft(cursor, offset, argument)
  cursor.at += Number(argument)
}

function skipText(cursor: Cursor, head: Head): void {
  const from = cursor.at
  skipBytes(cursor, head)
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(cursor.bytes.subarray(from, cursor.at))
  } catch (cause) {
    throw new CborTextError({ offset: head.offset, cause })
  }
}

function skipArray(cursor: Cursor, head: Head, depth: number): void {
  assertDepth(head, depth)
  assertLeft(cursor, head.offset, head.argument) // an element takes a byte at least
  for (let i = 0n; i < head.argument; i++) skipItem(cursor, depth + 1)
}

function skipMap(cursor: Cursor, head: Head, depth: number): void {
  assertDepth(head, depth)
  assertLeft(cursor, head.offset, head.argument * 2n)
  const seen = new Set<string>()
  let previous: string | undefined
  for (let i = 0n; i < head.argument; i++) {
    const offset = cursor.at
    const key = readKey(cursor, depth + 1)
    if (seen.has(key)) throw new CborDuplicateKeyError({ offset })
    if (cursor.options.sorted !== false && previous !== undefined && previous > key) {
      throw new CborKeyOrderError({ offset })
    }
    seen.add(key)
    previous = key
    skipItem(cursor, depth + 1)
  }
}

/** The encoded key as a Latin-1 string: equal and ordered exactly as its bytes are. */
function readKey(cursor: Cursor, depth: number): string {
  const from = cursor.at
  assertLeft(cursor, from, 1n)
  const major = cursor.view.getUint8(from) >> 5
  // A number 1 and a float 1.0 are one key in JavaScript; arrays and maps as keys are nobody's format here.
  if (major > TEXT) throw new CborTypeError({ offset: from, type: "map key that is no integer or string" })
  skipItem(cursor, depth)
  let key = ""
  for (let i = from; i < cursor.at; i++) key += String.fromCharCode(cursor.view.getUint8(i))
  return key
}

/** false, true, null; the rest only when asked for. RFC 8949, 3.3. */
function checkSimple(cursor: Cursor, { offset, info, argument }: Head): void {
  const isFloat = info >= 25
  if (info === 24 && argument < 32n) throw new CborReservedError({ offset })
  if (isFloat && !isShortestFloat(cursor.bytes.subarray(offset + 1, cursor.at))) {
    throw new CborNotShortestError({ offset })
  }
  if (cursor.options.extended === true || (info >= 20 && info <= 22)) return
  throw new CborTypeError({ offset, type: isFloat ? "floating-point number" : `simple value ${argument}` })
}

function assertLeft(cursor: Cursor, offset: number, declared: bigint): void {
  const left = cursor.bytes.length - cursor.at
  if (declared > BigInt(left)) throw new CborTruncatedError({ offset, declared, left })
}

function assertDepth({ offset }: Head, depth: number): void {
  if (depth >= MAX_CBOR_DEPTH) throw new CborDepthError({ offset, maxDepth: MAX_CBOR_DEPTH })
}
