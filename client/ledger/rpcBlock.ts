import { ReplyMalformedError } from "../errors/ledger.ts"
import type { Hex } from "../crypto/hex.ts"

/** A block header, as far as a reader needs it. */
export type RpcBlock = {
  readonly number: number
  readonly hash: Hex
  readonly parentHash: Hex
  readonly timestamp: number
}

/**
 * Reads what a node sent for a block; null (no such block) is `undefined`.
 *
 * @throws ReplyMalformedError
 */
export function parseRpcBlock(reply: unknown): RpcBlock | undefined {
  if (reply === null) return undefined
  if (typeof reply !== "object") {
    throw new ReplyMalformedError({ what: "a block", expected: "an object", found: typeof reply })
  }
  const { number, hash, parentHash, timestamp } = reply as Record<string, unknown>
  return {
    number: parseQuantity(number, "block.number"),
    hash: parseHash(hash, "block.hash"),
    parentHash: parseHash(parentHash, "block.parentHash"),
    timestamp: parseQuantity(timestamp, "block.timestamp"),
  }
}

/** A JSON-RPC quantity that fits a safe integer: `0x` and hex digits without leading zeros. */
export function parseQuantity(value: unknown, what: string): number {
  if (typeof value !== "string" || !/^0x(0|[1-9a-fA-F][0-9a-fA-F]{0,13})$/.test(value)) {
    throw new ReplyMalformedError({ what, expected: "a hexadecimal quantity", found: show(value) })
  }
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new ReplyMalformedError({ what, expected: "at most 2^53", found: value })
  return number
}

/** A JSON-RPC quantity of any size up to 256 bits. */
export function parseBigQuantity(value: unknown, what: string): bigint {
  if (typeof value !== "string" || !/^0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})$/.test(value)) {
    throw new ReplyMalformedError({ what, expected: "a hexadecimal quantity", found: show(value) })
  }
  return BigInt(value)
}

/** 32 octets in hex, lowered. */
export function parseHash(value: unknown, what: string): Hex {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(value)) {
    throw new ReplyMalformedError({ what, expected: "32 octets in hex", found: show(value) })
  }
  return value.toLowerCase() as Hex
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? typeof value)
}
