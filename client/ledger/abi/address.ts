import type { Hex } from "../../crypto/hex.ts"
import { keccakHex } from "./keccakHex.ts"

/** Whether this is an address: in lower case, or with the right checksum of ERC-55. */
export function isAddress(value: string): value is Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) return false
  return value === value.toLowerCase() || value === checksumAddress(value.toLowerCase() as Hex)
}

/** An address with the checksum of ERC-55: a letter is a capital where its hash has a digit from 8 on. */
export function checksumAddress(address: Hex): Hex {
  const digits = address.slice(2)
  const hash = keccakHex(new TextEncoder().encode(digits)).slice(2)
  const spelt = Array.from(digits, (digit, i) => ((hash[i] as string) >= "8" ? digit.toUpperCase() : digit))
  return `0x${spelt.join("")}`
}
