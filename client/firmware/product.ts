import { fromHex, toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { ReleaseFieldError } from "../errors/firmware.ts"

const PRODUCT_BYTES = 32

/**
 * A product's 32 octets on the ledger: a name's UTF-8 filled up with zeros, or the octets themselves as 0x and 64 digits.
 *
 * @throws {@link ReleaseFieldError} for a name that is empty, too long, or has control characters
 */
export function productId(nameOrId: string): Hex {
  if (/^0x[0-9a-fA-F]{64}$/.test(nameOrId)) return notZero(nameOrId.toLowerCase() as Hex)
  const bytes = new TextEncoder().encode(nameOrId)
  const sound = bytes.length > 0 && bytes.length <= PRODUCT_BYTES && isPlainText(nameOrId) && !nameOrId.startsWith("0x")
  if (!sound) refuse("a name of 1 to 32 octets without control characters, or 0x and 64 digits", nameOrId)
  const padded = new Uint8Array(PRODUCT_BYTES)
  padded.set(bytes)
  return notZero(toHex(padded))
}

/** The name that these octets spell; undefined if they were no name. */
export function productName(id: Hex): string | undefined {
  const bytes = fromHex(id)
  const end = bytes.findLastIndex((octet) => octet !== 0) + 1
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end))
    return productId(name) === id ? name : undefined
  } catch {
    return undefined
  }
}

/** Whether a text has neither lone surrogates nor any character below 0x20 or of 0x7f: what the contract asks for. */
export function isPlainText(text: string): boolean {
  if (!text.isWellFormed()) return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) return false
  }
  return true
}

function notZero(id: Hex): Hex {
  return /^0x0+$/.test(id) ? refuse("not zero", id) : id
}

function refuse(expected: string, found: string): never {
  throw new ReleaseFieldError({ field: "product", expected, found: JSON.stringify(found.slice(0, 80)) })
}
