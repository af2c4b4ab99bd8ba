import { describe, expect, it } from "vitest"
import { countBits, octetsOf, StatusBits } from "../../../../client/ledger/replica/statusBits.ts"
import { countBelow, Versions } from "../../../../client/ledger/replica/versions.ts"
import { pseudoRandom } from "../../../contracts/helpers/stage.ts"

const WHOLE_WORD = (1n << 256n) - 1n

describe.each([
  ["small", 700],
  ["of a million", 1_000_000],
  ["larger than any piece of memory", 2 ** 32 - 1],
] as const)("the status bits of a batch %s", (_, size) => {
  it("are what was set and not cleared", () => {
    const random = pseudoRandom(`bits ${size}`)
    const bits = new StatusBits(size)
    const model = new Map<number, bigint>()
    const last = Math.floor((size - 1) / 256)
    const words = [0, 1, last - 1, last, Math.floor(last / 2)]
    for (let round = 0; round < 200; round++) {
      const word = words[random(words.length)] as number
      const places = Math.min(256, size - 256 * word)
      const mask = (1n << BigInt(random(places))) | (1n << BigInt(random(places)))
      const before = model.get(word) ?? 0n
      expect(bits.meets(word, mask)).toBe((before & mask) !== 0n)
      if (random(3) === 0) {
        bits.clear(word, mask)
        model.set(word, before & (WHOLE_WORD ^ mask))
      } else {
        bits.set(word, mask)
        model.set(word, before | mask)
      }
      for (const each of words) {
        const expected = model.get(each) ?? 0n
        expect(bits.word(each)).toBe(expected)
        const index = 256 * each + random(Math.min(256, size - 256 * each))
        expect(bits.has(index)).toBe(((expected >> BigInt(index % 256)) & 1n) === 1n)
      }
    }
    expect(bits.flat?.length).toBe(size > 2 ** 26 ? undefined : Math.ceil(size / 8))
  })
})

describe("countBits and octetsOf", () => {
  it("count and cut a word", () => {
    expect(countBits(0n)).toBe(0)
    expect(countBits(WHOLE_WORD)).toBe(256)
    expect(countBits((1n << 255n) | 1n)).toBe(2)
    expect([...octetsOf(0x0201n)].slice(0, 3)).toEqual([1, 2, 0])
    expect(octetsOf(1n << 255n)[31]).toBe(0x80)
  })
})

describe("Versions", () => {
  it("tell what a value was after any entry", () => {
    const random = pseudoRandom("versions")
    const versions = new Versions<string>()
    let model: [number, string][] = []
    for (let entry = 0; entry < 300; entry++) {
      if (random(3) === 0) {
        versions.set(entry, `${entry}`)
        model.push([entry, `${entry}`])
      } else if (random(9) === 0 && model.length > 0) {
        versions.undo()
        model = model.slice(0, -1)
      }
      const count = random(entry + 2)
      expect(versions.after(count)).toBe(model.findLast(([set]) => set < count)?.[1])
      expect(versions.last).toBe(model.at(-1)?.[1])
      expect(versions.someBetween(10, count, (value) => value.endsWith("7"))).toBe(
        model.some(([set, value]) => set > 10 && set < count && value.endsWith("7")),
      )
    }
    expect(model.length).toBeGreaterThan(20)
  })

  it("are found among ascending numbers", () => {
    expect([0, 1, 2, 3, 5, 6].map((limit) => countBelow([1, 2, 5], limit))).toEqual([0, 0, 1, 2, 2, 3])
    expect(countBelow([], 3)).toBe(0)
  })
})
