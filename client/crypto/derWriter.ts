import { concatBytes } from "./hex.ts"
import { DER } from "./strictDer.ts"

/** One element: `tag`, the shortest length, the parts as content. X.690, 10.1. */
export function derElement(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const content = concatBytes(...parts)
  return concatBytes(Uint8Array.of(tag), derLength(content.length), content)
}

/** SEQUENCE of elements that are already DER. */
export function derSequence(...parts: Uint8Array[]): Uint8Array {
  return derElement(DER.sequence, ...parts)
}

/** A non-negative INTEGER from its big-endian octets, of whatever padding. */
export function derUnsigned(octets: Uint8Array): Uint8Array {
  let first = 0
  while (first < octets.length - 1 && octets[first] === 0) first++
  const digits = octets.subarray(first)
  const sign = digits.length === 0 || (digits[0] as number) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0)
  return derElement(DER.integer, sign, digits)
}

/** BIT STRING of whole octets. */
export function derBitString(octets: Uint8Array): Uint8Array {
  return derElement(DER.bitString, Uint8Array.of(0), octets)
}

/** OCTET STRING. */
export function derOctetString(octets: Uint8Array): Uint8Array {
  return derElement(DER.octetString, octets)
}

function derLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Uint8Array.of(0x80 | octets.length, ...octets)
}
