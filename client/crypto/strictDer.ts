import {
  DerInputError,
  DerLengthError,
  DerLimitError,
  DerTagError,
  DerTrailingBytesError,
  DerTruncatedError,
  DerValueError,
} from "../errors/x509.ts"

/** What an input may be at most. Honest certificates stay below a tenth of it. */
export const DER_LIMITS = { octets: 65_536, depth: 16, elements: 4_096, oidOctets: 128 } as const

/** The universal tags that this library meets, as identifier octets (X.690, 8.1.2). */
export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  relativeOid: 0x0d,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** One element: its identifier octet, and where it starts, its content starts and it ends. */
export type DerElement = { readonly tag: number; readonly start: number; readonly body: number; readonly end: number }

/**
 * Refuses everything that is not exactly one element in DER: indefinite, padded or overlong lengths, padded tags and
 * INTEGERs, BOOLEANs other than 00 and FF, NULLs with content, set unused bits, text that is not UTF-8, bytes behind the end.
 *
 * Runs before anything else looks at the bytes, in one pass without allocation that grows with the input.
 * Three rules of DER are left out on purpose, because breaking them changes no meaning and certificates in the field
 * do: the order inside SET OF, defaults written out, and zero bits at the end of named bit lists.
 *
 * @throws {@link DerError} one of its children, with the offset.
 */
export function assertStrictDer(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new DerInputError({ found: typeof bytes })
  if (bytes.length > DER_LIMITS.octets) {
    throw new DerLimitError({ offset: DER_LIMITS.octets, limit: "octets", allowed: DER_LIMITS.octets })
  }
  const whole = readElement(bytes, 0, bytes.length)
  if (whole.end !== bytes.length) throw new DerTrailingBytesError({ offset: whole.end })

  checkElement(bytes, whole, 1, DER_LIMITS.elements - 1)
}

/**
 * The element that begins at `offset` and must end by `limit`. Checks its tag and its length, not its content.
 *
 * @throws {@link DerError}
 */
export function readElement(bytes: Uint8Array, offset: number, limit: number): DerElement {
  let position = offset
  if (position >= limit) throw new DerTruncatedError({ offset: position })
  const tag = bytes[position++] as number
  if ((tag & 0x1f) === 0x1f) position = skipHighTag(bytes, position, limit, tag)
  if (tag === 0x00) throw new DerTagError({ offset, expected: "an element", found: tag })

  if (position >= limit) throw new DerTruncatedError({ offset: position })
  let length = bytes[position++] as number
  if (length >= 0x80) {
    const octets = length & 0x7f
    if (octets === 0) throw new DerLengthError({ offset: position - 1, reason: "indefinite" })
    if (octets > 4) throw new DerLengthError({ offset: position - 1, reason: "too large" })
    if (position + octets > limit) throw new DerTruncatedError({ offset: position })
    length = 0
    for (let i = 0; i < octets; i++) length = length * 256 + (bytes[position++] as number)
    // X.690, 10.1: the short form below 128, else no leading zero octet.
    if (length < 0x80 || length < 256 ** (octets - 1)) {
      throw new DerLengthError({ offset: position - octets - 1, reason: "not minimal" })
    }
  }
  if (position + length > limit) throw new DerTruncatedError({ offset: position })
  return { tag, start: offset, body: position, end: position + length }
}

// Tag numbers from 31 up: base 128, no leading zero, X.690, 8.1.2.4. No structure of ours has one.
function skipHighTag(bytes: Uint8Array, start: number, limit: number, tag: number): number {
  let position = start
  let number = 0
  for (;;) {
    if (position >= limit) throw new DerTruncatedError({ offset: position })
    const octet = bytes[position++] as number
    number = number * 128 + (octet & 0x7f)
    if (number === 0 || number > 0x0fff_ffff) break
    if (octet < 0x80) {
      if (number >= 31) return position
      break
    }
  }
  throw new DerTagError({ offset: start - 1, expected: "a tag number in its shortest form", found: tag })
}

// Returns how many elements may still come.
function checkElement(bytes: Uint8Array, element: DerElement, depth: number, elementsLeft: number): number {
  const { tag, start, body, end } = element
  if ((tag & 0x20) === 0) {
    if (tag < 0x40) checkPrimitive(bytes, tag, start, body, end)
    return elementsLeft
  }
  // X.690, 10.2 and 8.9 to 8.12: of the universal types only SEQUENCE, SET, EXTERNAL and EMBEDDED PDV are constructed.
  if (tag < 0x40 && tag !== DER.sequence && tag !== DER.set && tag !== 0x28 && tag !== 0x2b) {
    throw new DerTagError({ offset: start, expected: "the primitive form", found: tag })
  }
  if (depth >= DER_LIMITS.depth && body < end) {
    throw new DerLimitError({ offset: body, limit: "depth", allowed: DER_LIMITS.depth })
  }
  let left = elementsLeft
  let position = body
  while (position < end) {
    if (left === 0) throw new DerLimitError({ offset: position, limit: "elements", allowed: DER_LIMITS.elements })
    const child = readElement(bytes, position, end)
    left = checkElement(bytes, child, depth + 1, left - 1)
    position = child.end
  }
  return left
}

function checkPrimitive(bytes: Uint8Array, tag: number, start: number, body: number, end: number): void {
  const length = end - body
  const first = bytes[body] as number
  switch (tag) {
    case DER.boolean:
      if (length !== 1 || (first !== 0x00 && first !== 0xff)) refuse(start, "A BOOLEAN is neither 00 nor FF")
      return
    case DER.integer:
    case DER.enumerated:
      if (length === 0) refuse(start, "An INTEGER has no content")
      if (
        length > 1 &&
        (first === 0x00 ? (bytes[body + 1] as number) < 0x80 : first === 0xff && (bytes[body + 1] as number) >= 0x80)
      ) {
        refuse(start, "An INTEGER is padded")
      }
      return
    case DER.bitString:
      checkBitString(bytes, start, body, end)
      return
    case DER.null:
      if (length !== 0) refuse(start, "A NULL has content")
      return
    case DER.oid:
    case DER.relativeOid:
      checkOid(bytes, start, body, end)
      return
    case DER.utf8String:
      checkUtf8(bytes, start, body, end)
      return
    case DER.sequence & ~0x20:
    case DER.set & ~0x20:
      throw new DerTagError({ offset: start, expected: "the constructed form", found: tag })
    default:
  }
}

// X.690, 8.6.2 and 11.2.1.
function checkBitString(bytes: Uint8Array, start: number, body: number, end: number): void {
  const unused = bytes[body] as number
  if (body === end) refuse(start, "A BIT STRING has no content")
  if (unused > 7 || (unused > 0 && end === body + 1)) refuse(start, "A BIT STRING has a wrong count of unused bits")
  if (((bytes[end - 1] as number) & ((1 << unused) - 1)) !== 0 && unused > 0)
    refuse(start, "A BIT STRING has unused bits set")
}

// X.690, 8.19.2: each arc in as few octets as possible; the last octet ends an arc.
function checkOid(bytes: Uint8Array, start: number, body: number, end: number): void {
  if (body === end) refuse(start, "An OBJECT IDENTIFIER has no content")
  if (end - body > DER_LIMITS.oidOctets)
    refuse(start, `An OBJECT IDENTIFIER is longer than ${DER_LIMITS.oidOctets} octets`)
  let arcStarts = true
  for (let i = body; i < end; i++) {
    const octet = bytes[i] as number
    if (arcStarts && octet === 0x80) refuse(start, "An OBJECT IDENTIFIER is padded")
    arcStarts = octet < 0x80
  }
  if (!arcStarts) refuse(start, "An OBJECT IDENTIFIER is cut")
}

const UTF8 = new TextDecoder("utf-8", { fatal: true })

function checkUtf8(bytes: Uint8Array, start: number, body: number, end: number): void {
  let position = body
  while (position < end && (bytes[position] as number) < 0x80) position++
  if (position === end) return
  try {
    UTF8.decode(bytes.subarray(position, end))
  } catch {
    refuse(start, "A UTF8String is not UTF-8")
  }
}

function refuse(offset: number, reason: string): never {
  throw new DerValueError({ offset, reason })
}
