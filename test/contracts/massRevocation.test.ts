import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { addKeyCall, at, FAR, hashOf, openStage, pseudoRandom, send, testKey } from "./helpers/stage.ts"
import type { Stage } from "./helpers/stage.ts"

const CONSORTIUM = 0
const CONTROLLER = 2
const SIZE = 1_000_000
const LOST = SIZE / 100
const WORDS = Math.ceil(SIZE / 256)
/** A call may carry so many words. */
const MAX_LIST = 512
/** EIP-7825. */
const GAS_CAP = 16_777_216
/** How many transactions the lot below takes. */
const TRANSACTIONS = 8

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
  const controller = at(stage.accounts, CONTROLLER).address
  await send(stage, CONSORTIUM, {
    contract: stage.manufacturers,
    functionName: "admit",
    args: [controller, "Acme", ""],
  })
  await send(stage, CONTROLLER, addKeyCall(stage, 1, testKey("issuer"), "issuer"))
  const input = { series: 1, size: SIZE, keyIndex: 1, notAfter: FAR, root: hashOf("root") }
  await send(stage, CONTROLLER, { contract: stage.devices, functionName: "registerBatch", args: [1, input] })
})
afterAll(() => stage.close())

// THREATS.md, S10.
describe("revoking 1 % of 1,000,000 devices at random", () => {
  it(`takes ${TRANSACTIONS} transactions, each below the cap`, async () => {
    const lot = drawLot()
    const words = [...lot.entries()].toSorted(([a], [b]) => a - b)
    const used: bigint[] = []
    for (let i = 0; i < words.length; i += MAX_LIST) {
      const part = words.slice(i, i + MAX_LIST)
      const args = [1, 1, part.map(([word]) => word), part.map(([, mask]) => mask), 1]
      const receipt = await send(stage, CONTROLLER, { contract: stage.devices, functionName: "revokeWords", args })
      used.push(receipt.gasUsed)
    }

    expect(used).toHaveLength(TRANSACTIONS)
    for (const gas of used) expect(gas).toBeLessThan(GAS_CAP)
    expect((await stage.devices.read.batch([1, 1])).revokedCount).toBe(LOST)
    const expected = Array.from({ length: WORDS }, (_, word) => lot.get(word) ?? 0n)
    expect(await stage.devices.read.words([1, 1, 0n, BigInt(WORDS)])).toEqual(expected)
  })
})

/** The lost devices as words and their bits. */
function drawLot(): Map<number, bigint> {
  const random = pseudoRandom("lot")
  const lost = new Set<number>()
  while (lost.size < LOST) lost.add(random(SIZE))
  const bits = new Map<number, bigint>()
  for (const index of lost) bits.set(index >> 8, (bits.get(index >> 8) ?? 0n) | (1n << BigInt(index & 255)))
  return bits
}
