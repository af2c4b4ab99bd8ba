import { HexInvalidError } from "../errors/crypto.ts"

/** "0x" and two lower-case hexadecimal digits a byte. */
export type Hex = `0x${string}`

const DIGITS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Bytes as lower-case hex with 0x in front. */
export function toHex(bytes: Uint8Array): Hex {
  let text = "0x"
  for (let i = 0; i < bytes.length; i++) text += DIGITS[bytes[i] as number] as string
  return text as Hex
}

/**
 * Hex with 0x in front, of either case, as bytes. "0x" alone is no bytes.
 *
 * @throws {@link HexInvalidError} for anything else: no prefix, an odd number of digits, a sign or a space.
 */
export function fromHex(hex: string): Uint8Array {
  if (typeof hex !== "string") throw new HexInvalidError({ reason: "not a string" })
  if (!hex.startsWith("0x")) throw new HexInvalidError({ reason: "no 0x in front" })
  if (hex.length % 2 !== 0) throw new HexInvalidError({ reason: "odd number of digits" })

  const bytes = new Uint8Array(hex.length / 2 - 1)
  for (let i = 0; i < bytes.length; i++) {
    const octet = (nibble(hex, 2 + 2 * i) << 4) | nibble(hex, 3 + 2 * i)
    if (octet < 0) refuseDigit(hex)
    bytes[i] = octet
  }
  return bytes
}

/** Whether two byte strings are the same. Not constant in time: compare public bytes only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The parts one after another, in a fresh array. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** What each character code below 128 is worth; -1 for those that are no digits. */
const NIBBLES = Int8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? -1 : value
})

function nibble(hex: string, position: number): number {
  return NIBBLES[hex.charCodeAt(position)] ?? -1
}

function refuseDigit(hex: string): never {
  const position = hex.slice(2).search(/[^0-9a-fA-F]/) + 2
  throw new HexInvalidError({ reason: "not a digit", position })
}
