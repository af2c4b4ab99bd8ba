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
    bytes[i] = (digit(hex, 2 + 2 * i) << 4) | digit(hex, 3 + 2 * i)
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

function digit(hex: string, position: number): number {
  const code = hex.charCodeAt(position)
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 97 && code <= 102) return code - 87
  if (code >= 65 && code <= 70) return code - 55
  throw new HexInvalidError({ reason: "not a digit", position })
}
