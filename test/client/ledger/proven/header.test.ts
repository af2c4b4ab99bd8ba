import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ReplyMalformedError } from "../../../../client/errors/ledger.ts"
import { HeaderFormatUnknownError, HeaderMismatchError } from "../../../../client/errors/proofs.ts"
import { verifyHeader } from "../../../../client/ledger/proven/header.ts"
import { anvilLedger } from "../../../helpers/anvil.ts"
import { freshLedger } from "../../../helpers/ledger.ts"
import type { TestLedger } from "../../../helpers/ledger.ts"

type Reply = Record<string, unknown>

const EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
/** Block 0 of Ethereum: 15 fields. */
const GENESIS: Reply = {
  hash: "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
  parentHash: `0x${"0".repeat(64)}`,
  sha3Uncles: "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
  miner: `0x${"0".repeat(40)}`,
  stateRoot: "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
  transactionsRoot: EMPTY_TRIE,
  receiptsRoot: EMPTY_TRIE,
  logsBloom: `0x${"0".repeat(512)}`,
  difficulty: "0x400000000",
  number: "0x0",
  gasLimit: "0x1388",
  gasUsed: "0x0",
  timestamp: "0x0",
  extraData: "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
  mixHash: `0x${"0".repeat(64)}`,
  nonce: "0x0000000000000042",
  size: "0x21c",
  totalDifficulty: "0x400000000",
  transactions: [],
  uncles: [],
}

const NOT_HASHED = new Set(["hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"])
const FORKS = [
  "baseFeePerGas",
  "withdrawalsRoot",
  "blobGasUsed",
  "excessBlobGas",
  "parentBeaconBlockRoot",
  "requestsHash",
]

/** Another value of the same kind. */
function changed(value: string): string {
  if (value === "0x") return "0x00"
  const last = value.slice(-1) === "0" ? "1" : "0"
  return value === "0x1" || value === "0x0" ? "0x2" : `${value.slice(0, -1)}${last}`
}

describe.each(["Ethereum's first block", "EDR at Osaka", "EDR at Cancun", "Anvil"])("verifyHeader on %s", (chain) => {
  let net: TestLedger | undefined
  let reply: Reply

  beforeAll(async () => {
    if (chain === "EDR at Osaka") net = await freshLedger()
    if (chain === "EDR at Cancun") net = await freshLedger("cancun")
    if (chain === "Anvil") net = await anvilLedger()
    reply = net === undefined ? GENESIS : await net.ask<Reply>("eth_getBlockByNumber", "latest", false)
  })
  afterAll(() => net?.close())

  const hashed = (): string[] => Object.keys(reply).filter((name) => !NOT_HASHED.has(name))

  it("finds the hash", () => {
    const header = verifyHeader(reply, reply["hash"] as `0x${string}`)
    expect(header).toMatchObject({ hash: reply["hash"], stateRoot: reply["stateRoot"] })
    expect(header.timestamp).toBe(Number(reply["timestamp"]))
    expect(verifyHeader(reply)).toEqual(header)
    const expected = { "EDR at Osaka": 21, "EDR at Cancun": 20, Anvil: 21 }[chain] ?? 15
    expect(hashed()).toHaveLength(expected)
  })

  it("refuses each field altered", () => {
    for (const name of hashed()) {
      const altered = { ...reply, [name]: changed(reply[name] as string) }
      expect(() => verifyHeader(altered), `field ${name}`).toThrow(HeaderMismatchError)
    }
    const other = changed(reply["hash"] as string) as `0x${string}`
    expect(() => verifyHeader(reply, other)).toThrow(HeaderMismatchError)
    expect(() => verifyHeader({ ...reply, hash: other })).toThrow(HeaderMismatchError)
  })

  it("refuses each field of another type, by name", () => {
    for (const name of hashed()) {
      for (const wrong of [1, {}, [], true, "", "0xzz", "12", `0x${"00".repeat(2_000)}`]) {
        const altered = { ...reply, [name]: wrong }
        expect(() => verifyHeader(altered), `${name}: ${JSON.stringify(wrong).slice(0, 20)}`).toThrow(
          ReplyMalformedError,
        )
      }
    }
  })

  it("knows the difference between a field that is missing and a lie", () => {
    for (const name of hashed()) {
      const { [name]: _gone, ...rest } = reply
      const known = FORKS.indexOf(name)
      const lastOne = known !== -1 && rest[FORKS[known + 1] ?? ""] === undefined
      const error = lastOne
        ? HeaderMismatchError
        : ["number", "parentHash", "timestamp"].includes(name)
          ? ReplyMalformedError
          : HeaderFormatUnknownError
      // A header without its last field has the form of an earlier fork, and another hash. Blob gas comes in pairs.
      expect(() => verifyHeader(rest), `field ${name}`).toThrow(error)
    }
  })

  it("names the unknown field of a chain that hashes more", () => {
    const altered = { ...reply, hash: changed(reply["hash"] as string), l1BlockNumber: "0x5" }
    expect(() => verifyHeader(altered)).toThrow(HeaderFormatUnknownError)
    // One that is not hashed does no harm.
    expect(verifyHeader({ ...reply, l1BlockNumber: "0x5" }).hash).toBe(reply["hash"])
  })
})
