import fc from "fast-check"
import { encodeFunctionResult } from "viem/utils"
import { describe, expect, it } from "vitest"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { ReplyMalformedError } from "../../../client/errors/ledger.ts"
import type { Hex } from "../../../client/index.ts"
import { decodeView } from "../../../client/ledger/contractCalls.ts"
import { returnsUintList } from "../../../client/ledger/uintList.ts"

const encode = (result: readonly bigint[]): Hex =>
  encodeFunctionResult({ abi: deviceRegistryAbi, functionName: "words", result })

const decode = (reply: unknown): readonly bigint[] =>
  decodeView({ abi: deviceRegistryAbi, functionName: "words", args: [1, 1, 0n, 2n] }, reply)

describe("the answer of `words`", () => {
  it("is decoded as a general encoder wrote it", () => {
    const word = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }))
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        expect(decode(encode(words))).toEqual(words)
        expect(decode(encode(words).toUpperCase().replace("0X", "0x"))).toEqual(words)
      }),
      { numRuns: 200 },
    )
  })

  const good = encode([1n, 2n])
  const at = (offset: number, digits: string): string =>
    `${good.slice(0, 2 + offset)}${digits}${good.slice(2 + offset + digits.length)}`

  it.each([
    ["nothing", "0x"],
    ["half a list", good.slice(0, -64)],
    ["an octet less", good.slice(0, -2)],
    ["a word more", `${good}${"0".repeat(64)}`],
    ["another offset", at(62, "40")],
    ["an offset with something before it", at(0, "1")],
    ["another length", at(126, "03")],
    ["a length beyond everything", at(64, "f")],
    ["a length of 2^48", at(64 + 51, "1")],
    ["half an octet", good.slice(0, -1)],
    ["no hex", at(140, "zz")],
    ["null", null],
    ["a number", 7],
  ])("is refused when it is %s", (_what, reply) => {
    expect(() => decode(reply)).toThrow(ReplyMalformedError)
  })

  it("alone is decoded this way", () => {
    const views = deviceRegistryAbi.flatMap((entry) => (entry.type === "function" ? [entry.name] : []))
    expect(views.filter((name) => returnsUintList(deviceRegistryAbi, name))).toEqual(["words"])
  })
})
