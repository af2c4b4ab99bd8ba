import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ByteReader } from "../../../client/snapshot/byteReader.ts"
import { PlaceSet } from "../../../client/snapshot/placeSet.ts"
import { encodePlaceSet, readPlaceSet } from "../../../client/snapshot/placeSetCodec.ts"

const MAX_RUNS = 2 ** 24

/** Numbers below 1 that look random and are the same every time. */
function randoms(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}

/** `count` of `size` places, each choice as likely as any other. */
function randomSet(size: number, count: number): PlaceSet {
  const random = randoms(42)
  const chosen = new Set<number>()
  while (chosen.size < count) chosen.add(Math.floor(random() * size))
  return PlaceSet.of(
    size,
    [...chosen].toSorted((one, other) => one - other),
  )
}

/** Shannon's bound: bytes that tell which `count` of `size` places it is. */
function entropyBytes(size: number, count: number): number {
  const p = count / size
  return (-size * (p * Math.log2(p) + (1 - p) * Math.log2(1 - p))) / 8
}

function roundTrip(set: PlaceSet): PlaceSet {
  const bytes = encodePlaceSet(set)
  const reader = new ByteReader(bytes)
  const read = readPlaceSet(reader, set.size, MAX_RUNS)
  expect(reader.left).toBe(0)
  expect(encodePlaceSet(read)).toEqual(bytes)
  return read
}

describe("encodePlaceSet", () => {
  it("takes at most 1.06 times Shannon's bound for 1 % of a million at random", () => {
    const bytes = encodePlaceSet(randomSet(1_000_000, 10_000)).length
    expect(entropyBytes(1_000_000, 10_000)).toBeCloseTo(10_099, -1)
    expect(bytes).toBeLessThanOrEqual(1.06 * 10_099)
    expect(bytes).toBeLessThanOrEqual(1.01 * 10_099)
  })

  it.each([0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.99, 0.9999])(
    "stays within 6 %% of the bound for a share of %f",
    (share) => {
      const count = Math.round(share * 200_000)
      const bytes = encodePlaceSet(randomSet(200_000, count)).length
      expect(bytes).toBeLessThanOrEqual(1.06 * entropyBytes(200_000, count) + 8)
    },
  )

  it.each<[string, PlaceSet, number]>([
    ["nothing", PlaceSet.of(1_000_000, []), 1],
    ["everything", new PlaceSet(1_000_000, Uint32Array.of(0, 1_000_000)), 6],
    ["everything of the largest batch", new PlaceSet(0xffff_ffff, Uint32Array.of(0, 0xffff_ffff)), 6],
    ["the last place of the largest batch", PlaceSet.of(0xffff_ffff, [0xffff_fffe]), 12],
    ["one lot", new PlaceSet(1_000_000, Uint32Array.of(256_000, 384_000)), 16],
    [
      "a hundred lots",
      PlaceSet.of(
        1_000_000,
        Array.from({ length: 100 }, (_, lot) => Array.from({ length: 256 }, (__, i) => lot * 9984 + i)).flat(),
      ),
      350,
    ],
    [
      "every second place",
      PlaceSet.of(
        80_000,
        Array.from({ length: 40_000 }, (_, i) => 2 * i),
      ),
      10_001,
    ],
  ])("does not explode for %s", (_what, set, atMost) => {
    expect(encodePlaceSet(set).length).toBeLessThanOrEqual(atMost)
    expect([...roundTrip(set).runs()]).toEqual([...set.runs()])
  })

  it("gives back every set", () => {
    const sets = fc
      .tuple(fc.integer({ min: 1, max: 700 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.integer(), fc.boolean())
      .map(([size, share, seed, clustered]) => {
        const random = randoms(seed)
        let inside = false
        const members = Array.from({ length: size }, (_, i) => i).filter(() => {
          if (!clustered) return random() < share
          if (random() < 0.05) inside = !inside
          return inside
        })
        return { size, members }
      })
    fc.assert(
      fc.property(sets, ({ size, members }) => {
        const read = roundTrip(PlaceSet.of(size, members))
        expect([...read.members()]).toEqual(members)
        expect(read.count).toBe(members.length)
      }),
      { numRuns: 400 },
    )
  })
})

describe("PlaceSet", () => {
  it("answers like a list of booleans", () => {
    const set = randomSet(3000, 400)
    const list = Array.from({ length: 3000 }, () => false)
    for (const index of set.members()) list[index] = true
    let rank = 0
    list.forEach((is, index) => {
      expect(set.has(index)).toBe(is)
      if (index % 97 === 0) expect(set.rank(index)).toBe(rank)
      if (is) rank++
    })
    for (let word = 0; word < 13; word++) {
      const bits = list.slice(256 * word, 256 * (word + 1))
      expect(set.word(word)).toBe(bits.reduce((sum, is, i) => sum | (is ? 1n << BigInt(i) : 0n), 0n))
    }
    expect(set.has(-1)).toBe(false)
    expect(set.has(5000)).toBe(false)
  })
})
