import { RLP } from "@ethereumjs/rlp"
import { fromHex } from "../../crypto/hex.ts"
import type { Hex } from "../../crypto/hex.ts"
import { ReplyMalformedError } from "../../errors/ledger.ts"
import { HeaderFormatUnknownError, HeaderMismatchError } from "../../errors/proofs.ts"
import { keccakHex } from "../abi/keccakHex.ts"
import { parseBigQuantity, parseHash, parseRpcBlock } from "../rpcBlock.ts"

/** A block header that has the hash it should have. */
export type ProvenHeader = {
  readonly number: number
  readonly hash: Hex
  readonly parentHash: Hex
  readonly timestamp: number
  readonly stateRoot: Hex
}

/** How a chain's headers are hashed. `ethereum`: RLP of 15 fields, and those that forks added since, 21 at Prague and Osaka. */
export type HeaderFormat = "ethereum"

type Kind = "hash" | "quantity" | "address" | "bloom" | "nonce" | "bytes"

/** Yellow Paper, 4.4 (proof of stake keeps the fields of proof of work). */
const BASE_FIELDS: readonly [string, Kind][] = [
  ["parentHash", "hash"],
  ["sha3Uncles", "hash"],
  ["miner", "address"],
  ["stateRoot", "hash"],
  ["transactionsRoot", "hash"],
  ["receiptsRoot", "hash"],
  ["logsBloom", "bloom"],
  ["difficulty", "quantity"],
  ["number", "quantity"],
  ["gasLimit", "quantity"],
  ["gasUsed", "quantity"],
  ["timestamp", "quantity"],
  ["extraData", "bytes"],
  ["mixHash", "hash"],
  ["nonce", "nonce"],
]

/** Each needs all before it: EIP-1559, EIP-4895, EIP-4844 (two), EIP-4788, EIP-7685. */
const FORK_FIELDS: readonly [string, Kind][] = [
  ["baseFeePerGas", "quantity"],
  ["withdrawalsRoot", "hash"],
  ["blobGasUsed", "quantity"],
  ["excessBlobGas", "quantity"],
  ["parentBeaconBlockRoot", "hash"],
  ["requestsHash", "hash"],
]

/** What nodes send with a header that is not in it. */
const NOT_HASHED = ["hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"]
const KNOWN = new Set([...[...BASE_FIELDS, ...FORK_FIELDS].map(([name]) => name), ...NOT_HASHED])

const FIXED: Partial<Record<Kind, number>> = { hash: 32, address: 20, bloom: 256, nonce: 8 }
/** Clique and other test chains put signatures there. */
const LONGEST_BYTES = 1_024

/**
 * Reads the header in what a node sent for a block, hashes it again and compares.
 *
 * @param expected The hash that it must have; the one that the node names with it, if left out.
 * @throws ReplyMalformedError, HeaderFormatUnknownError, HeaderMismatchError
 */
export function verifyHeader(reply: unknown, expected?: Hex): ProvenHeader {
  const block = parseRpcBlock(reply)
  if (block === undefined) throw new ReplyMalformedError({ what: "a block", expected: "a header", found: "null" })
  const fields = reply as Readonly<Record<string, unknown>>
  const wanted = expected ?? block.hash
  const found = keccakHex(encodeHeader(fields))
  if (found !== wanted) {
    const unknown = Object.keys(fields).find((name) => !KNOWN.has(name))
    // A field of a fork to come explains the difference better than a lie.
    if (unknown !== undefined) throw new HeaderFormatUnknownError({ field: unknown, problem: "is not a known one" })
    throw new HeaderMismatchError({ block: block.number, expected: wanted, found })
  }
  const { number, parentHash, timestamp } = block
  return { number, hash: wanted, parentHash, timestamp, stateRoot: parseHash(fields["stateRoot"], "block.stateRoot") }
}

/** The RLP of a header. @throws HeaderFormatUnknownError, ReplyMalformedError */
function encodeHeader(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const absent = BASE_FIELDS.find(([name]) => fields[name] === undefined || fields[name] === null)
  if (absent !== undefined) throw new HeaderFormatUnknownError({ field: absent[0], problem: "is missing" })
  const present = FORK_FIELDS.map(([name]) => fields[name] !== undefined && fields[name] !== null)
  const count = present.includes(false) ? present.indexOf(false) : present.length
  const gap = FORK_FIELDS[present.indexOf(true, count)]
  if (gap !== undefined) throw new HeaderFormatUnknownError({ field: gap[0], problem: "is there without those before" })
  const all = [...BASE_FIELDS, ...FORK_FIELDS.slice(0, count)]
  return RLP.encode(all.map(([name, kind]) => fieldBytes(fields[name], kind, `block.${name}`)))
}

function fieldBytes(value: unknown, kind: Kind, what: string): Uint8Array {
  if (kind === "quantity") {
    const digits = parseBigQuantity(value, what).toString(16)
    return digits === "0" ? new Uint8Array(0) : fromHex(digits.length % 2 === 0 ? `0x${digits}` : `0x0${digits}`)
  }
  const fixed = FIXED[kind]
  const fits = typeof value === "string" && value.length <= 2 + 2 * LONGEST_BYTES && /^0x([0-9a-fA-F]{2})*$/.test(value)
  if (!fits || (fixed !== undefined && value.length !== 2 + 2 * fixed)) {
    const expected = fixed === undefined ? "octets in hex" : `${fixed} octets in hex`
    throw new ReplyMalformedError({ what, expected, found: JSON.stringify(value)?.slice(0, 80) ?? "nothing" })
  }
  return fromHex(value)
}
