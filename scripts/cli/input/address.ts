import { UsageError } from "../cliError.ts"

/** An account's address. One with letters of both cases must carry its checksum (ERC-55), so that a slip is noticed. */
export async function parseAddress(text: string, what: string): Promise<`0x${string}`> {
  const { getAddress, isAddress } = await import("viem/utils")
  const lowered = text.toLowerCase()
  const oneCase = text === lowered || text === `0x${text.slice(2).toUpperCase()}`
  if (isAddress(lowered) && (oneCase || getAddress(lowered) === text)) return lowered
  throw new UsageError(`${what} should be an address: 0x and 40 hexadecimal digits; found ${JSON.stringify(text)}.`, {
    hint: isAddress(lowered)
      ? "Its checksum is wrong: a digit was changed, or the case of a letter."
      : "Copy it whole.",
  })
}
