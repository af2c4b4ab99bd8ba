import * as Address from "ox/Address"
import type { Hex } from "../../crypto/hex.ts"

/** Whether this is an address: in lower case, or with the right checksum of ERC-55. */
export function isAddress(value: string): value is Hex {
  return Address.validate(value)
}

/** An address with the checksum of ERC-55. */
export function checksumAddress(address: Hex): Hex {
  return Address.checksum(address)
}
