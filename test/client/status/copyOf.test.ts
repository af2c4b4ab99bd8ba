import { describe, expect, it } from "vitest"
import { copyOf, giveBack } from "../../../client/status/copyOf.ts"

const filled = (octet: number, length: number): Uint8Array => new Uint8Array(length).fill(octet)

describe("copyOf", () => {
  it("gives each its own octets, whatever was given back before, in any order", () => {
    const live: { copy: Uint8Array; octet: number }[] = []
    let seed = 7
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let i = 0; i < 20_000; i++) {
      if (live.length > 400 || (live.length > 0 && random(3) === 0)) {
        const [taken] = live.splice(random(live.length), 1)
        if (taken === undefined) continue
        expect(taken.copy.every((octet) => octet === taken.octet)).toBe(true)
        giveBack(taken.copy)
      } else {
        const octet = random(256)
        live.push({ copy: copyOf(filled(octet, random(1_500))), octet })
      }
    }
    for (const { copy, octet } of live) expect(copy.every((found) => found === octet)).toBe(true)
  })

  it("writes memory again only when all that share it were given back", () => {
    const [first, second] = [copyOf(filled(1, 100)), copyOf(filled(2, 100))]
    giveBack(first)
    const third = copyOf(filled(3, 100))
    expect([second[0], third[0]]).toEqual([2, 3])
    giveBack(second)
    giveBack(third)
  })

  it("takes what is large, and what it never gave, without a word", () => {
    const large = copyOf(filled(5, 60_000))
    expect(large.every((octet) => octet === 5)).toBe(true)
    giveBack(large)
    giveBack(filled(6, 10))
  })
})
