import { describe, expect, it } from "vitest"
import { mapAhead } from "../../../client/node/mapAhead.ts"
import { asyncly, collect } from "../batch/testFleet.ts"

/** Resolves after so many turns of the microtask queue. */
async function afterTurns<Value>(turns: number, value: Value): Promise<Value> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
  return value
}

describe("mapAhead", () => {
  it("keeps the order, whatever is done first", async () => {
    const items = Array.from({ length: 100 }, (_, i) => i)
    const work = (i: number): Promise<number> => afterTurns((i * 7919) % 50, i)
    expect(await collect(mapAhead(items, 8, work))).toEqual(items)
    expect(await collect(mapAhead(asyncly(items), 8, work))).toEqual(items)
    expect(await collect(mapAhead([], 8, work))).toEqual([])
  })

  it("has no more under way than it may", async () => {
    let underWay = 0
    let most = 0
    const work = async (i: number): Promise<void> => {
      most = Math.max(most, ++underWay)
      await afterTurns(10 + i, i)
      underWay--
    }
    await collect(mapAhead(Array.from({ length: 50 }).keys(), 5, work))
    expect(most).toBe(5)
  })

  it("fails in its turn, and only when all that was begun has ended", async () => {
    let ended = 0
    const work = async (i: number): Promise<number> => {
      await afterTurns(i === 2 ? 1 : 40, i)
      ended++
      if (i === 2) throw new RangeError("two")
      return i
    }
    const seen: number[] = []
    const run = async (): Promise<void> => {
      for await (const result of mapAhead([0, 1, 2, 3, 4, 5, 6], 4, work)) seen.push(result)
    }
    await expect(run()).rejects.toThrow(new RangeError("two"))
    expect(seen).toEqual([0, 1])
    expect(ended).toBe(6)
  })

  it("may be left early", async () => {
    let ended = 0
    const work = async (i: number): Promise<void> => {
      await afterTurns(20, i)
      ended++
    }
    for await (const _ of mapAhead([1, 2, 3, 4, 5], 3, work)) break
    expect(ended).toBe(3)
  })
})
